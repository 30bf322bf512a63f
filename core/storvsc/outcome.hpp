// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/storvsc/packet.hpp"

namespace hv::storvsc {

/// How the port ends the request towards the layer above.
enum class Verdict : uint8_t {
  Done,      ///< with the SCSI status and sense as they are
  Requeue,   ///< nothing is wrong with the request: send it again
  Error,     ///< failed on the host's side; the layer above may try again a bounded number of times
  NoDevice,  ///< nobody at this address
  PassThrough,  ///< an ATA pass-through that failed without sense: its issuer judges
};

/// What the port does besides, later, where it may sleep.
enum class Chore : uint8_t {
  None,
  RescanDevice,  ///< size or parameters of this device have changed
  RemoveDevice,  ///< this device is gone
  RescanHost,    ///< the set of devices has changed
};

/// Who should read of it. Failures that come in the normal course of looking for devices are
/// Detail.
enum class Report : uint8_t { Nothing, Trouble, Detail };

struct Outcome {
  Verdict verdict;
  Chore chore;
  Report report;
  uint8_t scsi_status;             ///< one the SCSI layer knows
  uint32_t moved;                  ///< bytes, at most what was asked for
  std::span<const uint8_t> sense;  ///< to be given to the layer above; in the packet
};

/// What the judge has to know of the request.
struct Asked {
  uint8_t opcode;
  bool fibre_channel;
  uint32_t length;  ///< bytes to move
  uint32_t least;   ///< fewer bytes moved than this is a failure, whatever the status says
};

/// Judges a completion. Pure.
HV_HOT Outcome judge(const Asked& asked, const Completion& completion);

/// The outcome of a request whose completion makes no sense: it fails, and the channel lives on.
Outcome unintelligible();

}  // namespace hv::storvsc
