// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/disk_methods.hpp"

#include <functional>
#include <utility>

#include "host/backends/file_backend.hpp"

namespace hv::host::storvsp {
namespace {

using control::ParameterType;
using nlohmann::json;

/// What goes wrong with a disk is an answer, with its text.
control::Handler guarded(std::function<json(const json&)> handler) {
  return [handler = std::move(handler)](const json& params) {
    try {
      return handler(params);
    } catch (const DiskError& error) {
      throw control::RpcFailure(error.what());
    } catch (const BackendError& error) {
      throw control::RpcFailure(error.what());
    }
  };
}

}  // namespace

void add_disk_methods(control::Methods& methods, DiskManager& disks) {
  methods.add("disk.list", "the disks and DVDs, with counters", {},
              guarded([&disks](const json&) { return disks.list(); }));
  methods.add(
      "disk.add", "adds a disk or DVD while the guest runs",
      {{"path", ParameterType::String, true, "raw file, block device or ISO image"},
       {"name", ParameterType::String, false, "for the other methods; default diskN or dvdN"},
       {"bus", ParameterType::String, false, "scsi (default), ide or fc"},
       {"ro", ParameterType::Boolean, false, "read-only"},
       {"dvd", ParameterType::Boolean, false, "a DVD drive with the ISO image in it"},
       {"lun", ParameterType::Integer, false, "default: the next free one"},
       {"controller", ParameterType::Integer, false, "default 0"},
       {"block_size", ParameterType::Integer, false, "512 (default) or 4096"}},
      guarded([&disks](const json& params) {
        return json{{"name", disks.add(disk_spec_from_json(params))}};
      }));
  methods.add("disk.remove", "takes a disk away and closes its file",
              {{"name", ParameterType::String, true, "as disk.list says"}},
              guarded([&disks](const json& params) {
                disks.remove(params.at("name").get<std::string>());
                return json::object();
              }));
  methods.add("disk.replace",
              "puts another disk in the place of one, at once: the guest never finds it empty",
              {{"name", ParameterType::String, true, "of the old disk, as disk.list says"},
               {"path", ParameterType::String, true, "raw file or block device of the new one"},
               {"as", ParameterType::String, false, "name of the new one; default: the old one's"},
               {"ro", ParameterType::Boolean, false, "read-only"},
               {"dvd", ParameterType::Boolean, false, "a DVD drive with the ISO image in it"},
               {"block_size", ParameterType::Integer, false, "512 (default) or 4096"}},
              guarded([&disks](const json& params) {
                json spec = params;
                spec.erase("name");
                spec.erase("as");
                if (const auto as = params.find("as"); as != params.end()) spec["name"] = *as;
                return json{{"name", disks.replace(params.at("name").get<std::string>(),
                                                   disk_spec_from_json(spec))}};
              }));
  methods.add("dvd.change", "puts another disc into a DVD drive that the guest has not locked",
              {{"name", ParameterType::String, true, "of the drive, as disk.list says"},
               {"path", ParameterType::String, true, "ISO image"}},
              guarded([&disks](const json& params) {
                disks.change(params.at("name").get<std::string>(),
                             params.at("path").get<std::string>());
                return json::object();
              }));
  methods.add("disk.resize", "grows or shrinks a disk, or notices the size its file has now",
              {{"name", ParameterType::String, true, "as disk.list says"},
               {"size", ParameterType::Integer, false, "bytes; none: look at the file"}},
              guarded([&disks](const json& params) {
                std::optional<uint64_t> size;
                if (const auto found = params.find("size"); found != params.end()) {
                  if (found->get<int64_t>() <= 0) throw DiskError("size: must be more than 0");
                  size = found->get<uint64_t>();
                }
                return json{{"size", disks.resize(params.at("name").get<std::string>(), size)}};
              }));
}

}  // namespace hv::host::storvsp
