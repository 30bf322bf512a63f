// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/outcome.hpp"

namespace hv::storvsc {

using wire::storvsc::SrbStatus;

namespace {

// SCSI operation codes and status bytes. Source: SPC-4, SAM-5.
constexpr uint8_t kTestUnitReady = 0x00;
constexpr uint8_t kInquiry = 0x12;
constexpr uint8_t kModeSense6 = 0x1a;
constexpr uint8_t kModeSense10 = 0x5a;
constexpr uint8_t kAta16 = 0x85;
constexpr uint8_t kAta12 = 0xa1;
constexpr uint8_t kMaintenanceIn = 0xa3;

constexpr uint8_t kGood = 0x00;
constexpr uint8_t kCheckCondition = 0x02;
constexpr uint8_t kBusy = 0x08;

constexpr bool known_status(uint8_t status) {
  switch (status) {
    case 0x00:
    case 0x02:
    case 0x04:
    case 0x08:
    case 0x10:
    case 0x14:
    case 0x18:
    case 0x22:
    case 0x28:
    case 0x30:
    case 0x40:
      return true;
    default:
      return false;
  }
}

struct SenseCode {
  bool valid = false;
  uint8_t asc = 0;
  uint8_t ascq = 0;
};

/// Additional sense code of fixed (0x70, 0x71) and descriptor (0x72, 0x73) sense data.
SenseCode sense_code(std::span<const uint8_t> sense) {
  if (sense.empty()) return {};
  switch (sense[0] & 0x7f) {
    case 0x70:
    case 0x71:
      if (sense.size() < 8) return {};
      if (sense.size() < 14) return {.valid = true};
      return {.valid = true, .asc = sense[12], .ascq = sense[13]};
    case 0x72:
    case 0x73:
      if (sense.size() < 4) return {};
      return {.valid = true, .asc = sense[2], .ascq = sense[3]};
    default:
      return {};
  }
}

/// Hosts fail these without sense for pages that they do not have; it is no reason to give the
/// device up.
constexpr bool failure_is_normal(const Asked& asked) {
  return asked.opcode == kInquiry || asked.opcode == kModeSense6 || asked.opcode == kModeSense10 ||
         (asked.opcode == kMaintenanceIn && asked.fibre_channel);
}

constexpr Report report_of(const Asked& asked) {
  return asked.opcode == kTestUnitReady || failure_is_normal(asked) ? Report::Detail
                                                                    : Report::Trouble;
}

Outcome failed(const Asked& asked, Verdict verdict, Chore chore = Chore::None) {
  return {.verdict = verdict,
          .chore = chore,
          .report = report_of(asked),
          .scsi_status = kGood,
          .moved = 0,
          .sense = {}};
}

/// The device itself has spoken: CHECK CONDITION with sense.
Outcome judge_sense(const Asked& asked, const Completion& completion, SenseCode code,
                    uint32_t moved) {
  constexpr uint8_t kParametersChanged = 0x2a, kCapacityChanged = 0x09;
  constexpr uint8_t kTargetChanged = 0x3f, kInquiryDataChanged = 0x03, kReportedLunsChanged = 0x0e;

  if (code.asc == kParametersChanged && code.ascq == kCapacityChanged) {
    return failed(asked, Verdict::Requeue, Chore::RescanDevice);
  }
  // "Operating conditions have changed" in its variants: a new differencing disk has another block
  // size, and with it another granularity of discards.
  Chore chore = Chore::None;
  if (code.asc == kTargetChanged) {
    if (code.ascq == kReportedLunsChanged) {
      chore = Chore::RescanHost;
    } else if (code.ascq != kInquiryDataChanged) {
      return failed(asked, Verdict::Requeue, Chore::RescanDevice);
    }
  }
  return {.verdict = Verdict::Done,
          .chore = chore,
          .report = report_of(asked),
          .scsi_status = completion.scsi_status,
          .moved = moved,
          .sense = completion.sense};
}

Outcome judge_silent_failure(const Asked& asked, uint8_t scsi_status) {
  switch (asked.opcode) {
    case kTestUnitReady:
      // Some hosts answer so for a device that is well; the layer above asks for sense data itself
      // if it has to.
      return {.verdict = Verdict::Done,
              .chore = Chore::None,
              .report = Report::Detail,
              .scsi_status = scsi_status,
              .moved = 0,
              .sense = {}};
    case kAta12:
    case kAta16:
      return failed(asked, Verdict::PassThrough);
    default:
      return failed(asked, Verdict::Error);
  }
}

Outcome judge_good(const Asked& asked, const Completion& completion, uint32_t moved) {
  if (moved < asked.least) return failed(asked, Verdict::Error);
  return {.verdict = Verdict::Done,
          .chore = Chore::None,
          .report = completion.scsi_status == kGood ? Report::Nothing : report_of(asked),
          .scsi_status = completion.scsi_status,
          .moved = moved,
          .sense = {}};
}

}  // namespace

Outcome unintelligible() {
  return {.verdict = Verdict::Error,
          .chore = Chore::None,
          .report = Report::Trouble,
          .scsi_status = kGood,
          .moved = 0,
          .sense = {}};
}

Outcome judge(const Asked& asked, const Completion& completion) {
  const uint32_t moved = completion.moved < asked.length ? completion.moved : asked.length;
  const auto code = static_cast<SrbStatus>(completion.srb_code);
  if (code == SrbStatus::Success && completion.scsi_status == kGood)
    return judge_good(asked, completion, moved);

  switch (code) {
    case SrbStatus::InvalidLun:
    case SrbStatus::NoDevice:
    case SrbStatus::InvalidTargetId:
    case SrbStatus::InvalidPathId:
    case SrbStatus::NoHba:
      // INQUIRY is how devices are looked for: finding none is no news, and there is nothing to
      // remove.
      return failed(asked, Verdict::NoDevice,
                    asked.opcode == kInquiry ? Chore::None : Chore::RemoveDevice);
    default:
      break;
  }

  if (!known_status(completion.scsi_status)) return unintelligible();

  if (completion.scsi_status == kCheckCondition) {
    const SenseCode sense = sense_code(completion.sense);
    // The residual counts only where the device says that it did its part.
    const bool counted = code == SrbStatus::Success || code == SrbStatus::DataOverrun;
    if (sense.valid) return judge_sense(asked, completion, sense, counted ? moved : 0);
    if (failure_is_normal(asked)) {
      return {.verdict = Verdict::Done,
              .chore = Chore::None,
              .report = Report::Detail,
              .scsi_status = kGood,
              .moved = moved,
              .sense = {}};
    }
    return judge_silent_failure(asked, completion.scsi_status);
  }

  switch (code) {
    case SrbStatus::Success:
    case SrbStatus::DataOverrun:
      // An overrun is more or less data than asked for; the host says how much. Enough of it is
      // success.
      return judge_good(asked, completion, moved);
    case SrbStatus::Busy:
      return {.verdict = Verdict::Done,
              .chore = Chore::None,
              .report = Report::Detail,
              .scsi_status = kBusy,
              .moved = 0,
              .sense = {}};
    case SrbStatus::RequestFlushed:
      // A bus reset has emptied the host's queue.
      return failed(asked, Verdict::Requeue);
    default:
      break;
  }

  if (failure_is_normal(asked)) {
    return {.verdict = Verdict::Done,
            .chore = Chore::None,
            .report = Report::Detail,
            .scsi_status = kGood,
            .moved = moved,
            .sense = {}};
  }
  // A status of the device's own, such as BUSY or RESERVATION CONFLICT, tells the layer above more
  // than we could.
  if (completion.scsi_status != kGood) {
    return {.verdict = Verdict::Done,
            .chore = Chore::None,
            .report = report_of(asked),
            .scsi_status = completion.scsi_status,
            .moved = 0,
            .sense = {}};
  }
  return judge_silent_failure(asked, completion.scsi_status);
}

}  // namespace hv::storvsc
