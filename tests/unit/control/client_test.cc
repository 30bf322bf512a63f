// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/client.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "host/control/devices.hpp"
#include "host/control/socket.hpp"

namespace hv::host::control {
namespace {

using nlohmann::json;

TEST(ParseParams, ReadsKeysAndValues) {
  EXPECT_EQ(parse_params({}), json::object());
  EXPECT_EQ(parse_params({"path=/a/b=c", "lun=3", "ro", "bus=ide", "name=\"7\""}),
            json::parse(R"({"path":"/a/b=c","lun":3,"ro":true,"bus":"ide","name":"7"})"));
  EXPECT_EQ(parse_params({R"({"lun":3})"}), json::parse(R"({"lun":3})"));
  EXPECT_THROW(parse_params({"{lun"}), std::invalid_argument);
  EXPECT_THROW(parse_params({"=3"}), std::invalid_argument);
  EXPECT_THROW(parse_params({"a=3", "a=4"}), std::invalid_argument);
}

TEST(ParseParams, TakesAValueAsItStandsWhereAStringIsWanted) {
  const json parameters =
      json::parse(R"([{"name":"net","type":"string"},{"name":"lun","type":"integer"},)"
                  R"({"name":"x","type":"any"}])");
  for (const char* const word : {"null", "true", "1e3", "007", "1.50", "[1]", "{}", ""})
    EXPECT_EQ(parse_params({std::string("net=") + word}, parameters), json({{"net", word}}));
  EXPECT_EQ(parse_params({"net=\"null\"", "lun=3", "x=null", "other=null"}, parameters),
            json::parse(R"({"net":"null","lun":3,"x":null,"other":null})"));
}

TEST(Table, ShowsListsAsTablesAndTheRestAsLines) {
  EXPECT_EQ(table(json("done")), "done\n");
  EXPECT_EQ(table(json::parse(R"({"size":5,"ro":true})")), "ro: yes\nsize: 5\n");
  EXPECT_EQ(table(json::parse(R"([{"name":"disk0","lun":0},{"name":"d","size":7}])")),
            "lun  name   size\n"
            "0    disk0\n"
            "     d      7\n");
  EXPECT_EQ(table(json::parse(
                R"({"vmbus":"5.3","devices":[{"name":"scsi0","channels":[{"n":0},{"n":1}]}]})")),
            "vmbus: 5.3\n\n"
            "name   n\n"
            "scsi0  0\n"
            "       1\n");
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    char name[] = "/tmp/control-test-XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/socket";
    methods.add("add", "adds", {{"a", ParameterType::Integer, true, ""}},
                [](const json& params) -> json {
                  return {{"sum", params["a"].get<int>() + 1}};
                });
    methods.add("fail", "fails", {}, [](const json&) -> json { throw RpcFailure("no such disk"); });
  }
  ~ClientTest() override { std::filesystem::remove_all(folder); }
  int run(std::vector<std::string> words, bool people = false) {
    out.str("");
    err.str("");
    return run_client({path, std::move(words), people}, out, err);
  }

  std::string folder;
  std::string path;
  Methods methods;
  std::ostringstream out, err;
};

TEST_F(ClientTest, PrintsJsonOrATable) {
  const ControlSocket socket(path, methods);
  EXPECT_EQ(run({"add", "a=4"}), 0);
  EXPECT_EQ(json::parse(out.str()), json::parse(R"({"sum":5})"));
  EXPECT_EQ(run({"add", "a=4"}, true), 0);
  EXPECT_EQ(out.str(), "sum: 5\n");
  EXPECT_EQ(err.str(), "");
}

TEST_F(ClientTest, AStringMayReadAsSomethingElse) {
  methods.add("name", "says it", {{"name", ParameterType::String, true, ""}},
              [](const json& params) { return params["name"]; });
  const ControlSocket socket(path, methods);
  for (const std::string word : {"null", "1e3", "true"}) {
    EXPECT_EQ(run({"name", "name=" + word}), 0) << err.str();
    EXPECT_EQ(json::parse(out.str()), json(word));
  }
}

TEST_F(ClientTest, EndsWith1WhenTheMethodFails) {
  const ControlSocket socket(path, methods);
  EXPECT_EQ(run({"fail"}), 1);
  EXPECT_EQ(err.str(), "enlighten-host ctl: no such disk\n");
  EXPECT_EQ(run({"nothing"}), 1);
  EXPECT_EQ(out.str(), "");
}

TEST_F(ClientTest, EndsWith2WhenTheWordsAreWrong) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"add", "=4"}), 2);
  EXPECT_EQ(run({"add\xff"}), 2);
}

TEST_F(ClientTest, NamesASocketThatIsNotThere) {
  EXPECT_EQ(run({"add"}), 1);
  EXPECT_NE(err.str().find(path + ": there is no such socket"), std::string::npos);
}

TEST(DevicesJson, ShowsChannelsWithTheirCounters) {
  vmbus::ServerStatus status;
  status.version = wire::vmbus::Version::V5_3;
  vmbus::DeviceStatus device{"scsi0", "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid, {}, false, {}};
  vmbus::ChannelStatus open{};
  open.relid = 1;
  open.open = true;
  open.signals_in = 7;
  device.channels = {open, vmbus::ChannelStatus{}};
  status.devices.push_back(device);
  const json shown = devices_json(status);
  EXPECT_EQ(shown["vmbus"], "5.3");
  EXPECT_EQ(shown["devices"][0]["class"], "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f");
  EXPECT_EQ(shown["devices"][0]["channels"][0]["state"], "open");
  EXPECT_EQ(shown["devices"][0]["channels"][0]["signals_in"], 7);
  EXPECT_EQ(shown["devices"][0]["channels"][1]["state"], "not offered");
}

}  // namespace
}  // namespace hv::host::control
