// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/disks.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "host/backends/file_backend.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::host::storvsp {
namespace {

class DisksTest : public ::testing::Test {
 protected:
  DisksTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "enlighten-disks-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~DisksTest() override { std::filesystem::remove_all(folder); }

  std::string file(const std::string& name, off_t size = 1 << 20) {
    const std::string path = (folder / name).string();
    ::close(::creat(path.c_str(), 0600));
    EXPECT_EQ(::truncate(path.c_str(), size), 0);
    return path;
  }
  std::string refusal(const DiskSpec& spec) {
    try {
      disks.add(spec);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return {};
  }

  std::filesystem::path folder;
  test::FakeMachine machine{64, 4};
  vmbus::Server server{machine, {}};
  DiskManager disks{server, 4};
};

TEST_F(DisksTest, PlacesDisksInOrder) {
  EXPECT_EQ(disks.add({.path = file("a")}), "disk0");
  EXPECT_EQ(disks.add({.path = file("b"), .read_only = true}), "disk1");
  EXPECT_EQ(disks.add({.path = file("c"), .dvd = true}), "dvd0");
  EXPECT_EQ(disks.add({.path = file("d"), .name = "boot", .bus = ControllerOptions::Bus::Ide}),
            "boot");
  const auto list = disks.list();
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0]["name"], "boot");
  EXPECT_EQ(list[0]["device"], "ide0:0");
  EXPECT_EQ(list[1]["lun"], 0);
  EXPECT_EQ(list[2]["lun"], 1);
  EXPECT_EQ(list[2]["read_only"], true);
  EXPECT_EQ(list[3]["kind"], "dvd");
  EXPECT_EQ(list[3]["lun"], 2);
  EXPECT_EQ(server.status().devices.size(), 2u);
}

TEST_F(DisksTest, RefusalsSayWhatIsWrong) {
  disks.add({.path = file("a"), .lun = 3});
  EXPECT_NE(refusal({.path = file("b"), .lun = 3}).find("lun 3"), std::string::npos);
  EXPECT_NE(refusal({.path = file("b"), .lun = 300}).find("lun 300"), std::string::npos);
  EXPECT_NE(refusal({.path = file("b"), .controller = 99}).find("controller 99"),
            std::string::npos);
  EXPECT_NE(refusal({.path = file("b"), .name = "disk0"}).find("disk0"), std::string::npos);
  EXPECT_NE(refusal({.path = file("c", 1000)}).find("no multiple of 512"), std::string::npos);
  EXPECT_NE(refusal({.path = folder / "none"}).find("no such file"), std::string::npos);
  EXPECT_NE(refusal({.path = folder / "a"}).find("in use"), std::string::npos);
}

TEST_F(DisksTest, RemovalClosesTheFile) {
  const std::string path = file("a");
  disks.add({.path = path, .name = "x"});
  EXPECT_THROW(disks.remove("y"), DiskError);
  disks.remove("x");
  EXPECT_EQ(disks.list().size(), 0u);
  EXPECT_NO_THROW(FileBackend::open(path, {}));
}

TEST_F(DisksTest, ADiskIsReplacedAtOnce) {
  const std::string path = file("a");
  disks.add({.path = path, .name = "x", .lun = 5});
  disks.add({.path = file("b"), .name = "y"});
  EXPECT_THROW(disks.replace("z", {.path = file("c")}), DiskError);
  EXPECT_THROW(disks.replace("x", {.path = file("c"), .name = "y"}), DiskError);
  EXPECT_THROW(disks.replace("x", {.path = file("c"), .block_size = 1024}), DiskError);
  EXPECT_THROW(disks.replace("x", {.path = folder / "none"}), BackendError);
  EXPECT_EQ(disks.replace("x", {.path = file("d", 2 << 20), .name = "n", .lun = 9}), "n");
  EXPECT_NO_THROW(FileBackend::open(path, {}));
  const auto list = disks.list();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["name"], "n");
  EXPECT_EQ(list[0]["lun"], 5);
  EXPECT_EQ(list[0]["size"], 2 << 20);
  EXPECT_EQ(disks.replace("n", {.path = path, .block_size = 4096}), "n");
  EXPECT_EQ(disks.list()[0]["block_size"], 4096);
  disks.remove("n");

  disks.add({.path = path, .name = "ide", .bus = ControllerOptions::Bus::Ide});
  EXPECT_THROW(disks.replace("ide", {.path = file("e")}), DiskError);
}

TEST_F(DisksTest, ADvdDriveGetsAnotherDisc) {
  const std::string path = file("a");
  EXPECT_EQ(disks.add({.path = path, .dvd = true, .lun = 5}), "dvd0");
  disks.add({.path = file("b"), .name = "disk"});
  EXPECT_THROW(disks.change("disk", file("c")), DiskError);
  EXPECT_THROW(disks.change("none", file("c")), DiskError);
  EXPECT_THROW(disks.change("dvd0", folder / "none"), BackendError);
  EXPECT_EQ(disks.list()[1]["path"], path) << "what cannot be done changes nothing";
  disks.change("dvd0", file("d", 2 << 20));
  const auto list = disks.list();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1]["name"], "dvd0");
  EXPECT_EQ(list[1]["lun"], 5);
  EXPECT_EQ(list[1]["size"], 2 << 20);
  EXPECT_NO_THROW(FileBackend::open(path, {}));
}

TEST_F(DisksTest, ResizeChangesTheFile) {
  const std::string path = file("a");
  disks.add({.path = path, .name = "x"});
  EXPECT_EQ(disks.resize("x", 2 << 20), 2u << 20);
  EXPECT_EQ(std::filesystem::file_size(path), 2u << 20);
  EXPECT_THROW(disks.resize("x", 1000), DiskError);
  ASSERT_EQ(::truncate(path.c_str(), 3 << 20), 0);
  EXPECT_EQ(disks.resize("x", std::nullopt), 3u << 20);
}

TEST_F(DisksTest, TakesAJsonObjectApart) {
  const DiskSpec spec = disk_spec_from_json(
      {{"path", "/x"}, {"bus", "ide"}, {"ro", true}, {"lun", 1}, {"name", "n"}});
  EXPECT_EQ(spec.bus, ControllerOptions::Bus::Ide);
  EXPECT_TRUE(spec.read_only);
  EXPECT_EQ(spec.lun, 1u);
  EXPECT_THROW(disk_spec_from_json({{"bus", "scsi"}}), DiskError);
  EXPECT_THROW(disk_spec_from_json({{"path", "/x"}, {"bus", "usb"}}), DiskError);
  EXPECT_THROW(disk_spec_from_json({{"path", "/x"}, {"lun", "1"}}), DiskError);
  EXPECT_THROW(disk_spec_from_json({{"path", 5}}), DiskError);
  EXPECT_THROW(disk_spec_from_json(3), DiskError);
}

}  // namespace
}  // namespace hv::host::storvsp
