// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/controller.hpp"

#include <fmt/format.h>

#include <cstring>

namespace hv::host::storvsp {
namespace {

namespace proto = wire::storvsc;

Guid instance_of(const ControllerOptions& options) {
  switch (options.bus) {
    case ControllerOptions::Bus::Scsi: {
      Guid guid = "7c2f3a10-58d4-4b6e-9a41-0e5c31000000"_guid;
      guid.bytes[15] = options.number;
      return guid;
    }
    case ControllerOptions::Bus::Ide: {
      // Guests find channel and target in the first two fields (Linux: the target in bytes 4 and
      // 5).
      Guid guid = "00000000-0000-8899-0000-000000000000"_guid;
      guid.bytes[0] = options.number;
      guid.bytes[4] = options.target;
      return guid;
    }
    case ControllerOptions::Bus::FibreChannel: {
      Guid guid = "7c2f3a10-58d4-4b6e-9a41-0fc531000000"_guid;
      guid.bytes[15] = options.number;
      return guid;
    }
  }
  return {};
}

vmbus::OfferInfo offer_of(const ControllerOptions& options) {
  vmbus::OfferInfo offer;
  offer.instance_id = instance_of(options);
  switch (options.bus) {
    case ControllerOptions::Bus::Scsi:
      offer.class_id = proto::kScsiClass;
      break;
    case ControllerOptions::Bus::Ide: {
      offer.class_id = proto::kIdeClass;
      const proto::OfferProperties properties{.reserved1 = 0,
                                              .path_id = options.number,
                                              .target_id = options.target,
                                              .reserved2 = 0,
                                              .flags = proto::kOfferIdeDevice,
                                              .reserved3 = {}};
      std::memcpy(offer.user_defined.data(), &properties, sizeof(properties));
      break;
    }
    case ControllerOptions::Bus::FibreChannel:
      offer.class_id = proto::kFibreChannelClass;
      break;
  }
  return offer;
}

std::string name_of(const ControllerOptions& options) {
  switch (options.bus) {
    case ControllerOptions::Bus::Scsi:
      return fmt::format("scsi{}", options.number);
    case ControllerOptions::Bus::Ide:
      return fmt::format("ide{}:{}", options.number, options.target);
    case ControllerOptions::Bus::FibreChannel:
      return fmt::format("fc{}", options.number);
  }
  return {};
}

}  // namespace

Controller::Controller(const ControllerOptions& options)
    : name_(name_of(options)), offer_(offer_of(options)), shared_(options.limits) {
  shared_.ignore_path = options.bus == ControllerOptions::Bus::Ide;
  shared_.allow_uring = options.allow_uring;
}

bool Controller::opened(vmbus::OpenChannel& channel) {
  return channels_.start(name_, channel, shared_);
}

void Controller::closed(vmbus::OpenChannel& channel) {
  if (channels_.end(channel) && channel.index() == 0) shared_.session.reset();
}

bool Controller::add(Address address, std::shared_ptr<scsi::LogicalUnit> unit) {
  if (!shared_.luns.add(address, std::move(unit))) return false;
  announce();
  return true;
}

bool Controller::replace(Address address, std::shared_ptr<scsi::LogicalUnit> unit) {
  if (!shared_.luns.replace(address, std::move(unit))) return false;
  announce();
  return true;
}

bool Controller::change(Address address, std::shared_ptr<scsi::LogicalUnit> unit) {
  return shared_.luns.replace(address, std::move(unit));
}

bool Controller::remove(Address address) {
  if (!shared_.luns.remove(address)) return false;
  announce();
  return true;
}

void Controller::announce() {
  const bool told = shared_.session.ready() && shared_.session.knows_enumerate_bus();
  if (shared_.session.ready() && !told) {
    // What the guests of that time understood.
    for (const auto& [address, unit] : *shared_.luns.snapshot())
      unit->raise(scsi::kReportedLunsChanged);
  }
  channels_.each([told](uint16_t index, ChannelService& service) {
    service.luns_changed(told && index == 0);
  });
}

}  // namespace hv::host::storvsp
