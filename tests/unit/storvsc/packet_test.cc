// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/packet.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

using wire::storvsc::Direction;

const Dialect& kWin10 = kDialects[0];
const Dialect& kWin7 = kDialects[3];

Request read_request(std::span<const uint8_t> cdb) {
  return {.address = {.path = 1, .target = 2, .lun = 3},
          .port = 4,
          .direction = Direction::Read,
          .tagged = true,
          .length = 4096,
          .cdb = cdb};
}

TEST(ExecutePacket, SaysAllOfTheRequest) {
  const uint8_t cdb[10] = {0x28, 0, 1, 2, 3, 4, 0, 0, 8, 0};
  const auto packet = execute_packet(kWin10, read_request(cdb));
  EXPECT_EQ(packet.header.operation, wire::storvsc::Operation::ExecuteSrb);
  EXPECT_EQ(packet.header.flags, wire::storvsc::kRequestCompletion);
  const auto& request = packet.body.io.request;
  EXPECT_EQ(request.length, 52);
  EXPECT_EQ(request.port_number, 4);
  EXPECT_EQ(request.path_id, 1);
  EXPECT_EQ(request.target_id, 2);
  EXPECT_EQ(request.lun, 3);
  EXPECT_EQ(request.cdb_length, 10);
  EXPECT_EQ(request.sense_length, 20);
  EXPECT_EQ(request.direction, Direction::Read);
  EXPECT_EQ(request.transfer_length, 4096u);
  EXPECT_TRUE(std::equal(cdb, cdb + 10, request.cdb_or_sense.begin()));
  const auto& extension = packet.body.io.extension;
  EXPECT_EQ(extension.queue_tag, 0xff);
  EXPECT_EQ(extension.queue_action, 0x20);
  EXPECT_EQ(extension.srb_flags, 0x14au);
  EXPECT_EQ(extension.timeout_seconds, 60u);
}

TEST(ExecutePacket, LeavesNothingUninitialisedBehindTheCdb) {
  const uint8_t cdb[1] = {0};
  const auto packet = execute_packet(kWin10, read_request(cdb));
  for (size_t i = 1; i < 20; i++) EXPECT_EQ(packet.body.io.request.cdb_or_sense[i], 0) << i;
}

TEST(ExecutePacket, IsShortForOldHosts) {
  const uint8_t cdb[6] = {0x12};
  const auto packet = execute_packet(kWin7, read_request(cdb));
  EXPECT_EQ(packet.bytes(kWin7).size(), 48u);
  EXPECT_EQ(packet.body.io.request.length, 36);
  EXPECT_EQ(packet.body.io.request.sense_length, 18);
}

TEST(ExecutePacket, RefusesNoCdbAndALongOne) {
  const uint8_t cdb[17] = {};
  EXPECT_EQ(check_request(kWin10, read_request({})).error(), Error::BadValue);
  EXPECT_EQ(check_request(kWin10, read_request(cdb)).error(), Error::BadValue);
  EXPECT_TRUE(check_request(kWin10, read_request(std::span(cdb).first(16))).ok());
}

TEST(ExecutePacket, SparesHostsBefore2012R2WhatTheyMishandle) {
  for (const uint8_t opcode : {0x41, 0x24}) {
    const uint8_t cdb[10] = {opcode};
    EXPECT_EQ(check_request(kDialects[2], read_request(cdb)).error(), Error::NotSupported);
    EXPECT_EQ(check_request(kWin7, read_request(cdb)).error(), Error::NotSupported);
    EXPECT_TRUE(check_request(kDialects[1], read_request(cdb)).ok());
  }
}

TEST(ExecutePacket, FlagsFollowTheDirection) {
  const uint8_t cdb[6] = {};
  auto request = read_request(cdb);
  request.tagged = false;
  EXPECT_EQ(execute_packet(kWin10, request).body.io.extension.srb_flags, 0x48u);
  request.direction = Direction::Write;
  EXPECT_EQ(execute_packet(kWin10, request).body.io.extension.srb_flags, 0x88u);
  request.direction = Direction::None;
  EXPECT_EQ(execute_packet(kWin10, request).body.io.extension.srb_flags, 0x08u);
}

TEST(ParseCompletion, GivesTheFields) {
  const auto bytes = test::completion(0x84, 2, 512, test::sense(5, 0x20, 0));
  const auto completion = parse_completion(bytes).take();
  EXPECT_EQ(completion.srb_code, 4);
  EXPECT_EQ(completion.scsi_status, 2);
  EXPECT_EQ(completion.moved, 512u);
  ASSERT_EQ(completion.sense.size(), 18u);
  EXPECT_EQ(completion.sense[12], 0x20);
}

TEST(ParseCompletion, TakesTheShortPacketOfOldHosts) {
  auto bytes = test::completion(1, 0, 512);
  bytes.resize(48);
  EXPECT_EQ(parse_completion(bytes).take().moved, 512u);
  bytes.resize(47);
  EXPECT_EQ(parse_completion(bytes).error(), Error::Truncated);
  EXPECT_EQ(parse_completion(std::span(bytes).first(0)).error(), Error::Truncated);
}

TEST(ParseCompletion, SenseNeverLeavesItsField) {
  auto bytes = test::completion(0x84, 2, 0, std::vector<uint8_t>(255, 0x70));
  EXPECT_EQ(parse_completion(bytes).take().sense.size(), 20u);
}

TEST(ParseCompletion, SenseThatIsNotMarkedValidIsNone) {
  EXPECT_TRUE(
      parse_completion(test::completion(0x04, 2, 0, test::sense(5, 0x20, 0))).take().sense.empty());
}

TEST(ParseCompletion, TheFlagBitsAreNotPartOfTheCode) {
  EXPECT_EQ(parse_completion(test::completion(0xc1, 0, 0)).take().srb_code, 1);
}

TEST(ParseAnswer, RefusesWhatIsNoCompletion) {
  EXPECT_EQ(parse_answer(test::answer(0, wire::storvsc::Operation::EnumerateBus)).error(),
            Error::BadValue);
}

TEST(ParseAdapterNames, GivesThoseOfTheActivePort) {
  wire::storvsc::FcHbaData data{};
  data.primary_active = 1;
  data.primary_port_name = {1, 2, 3, 4, 5, 6, 7, 8};
  data.primary_node_name = {9};
  data.secondary_port_name = {0, 0, 0, 0, 0, 0, 0, 7};
  auto names = parse_adapter_names(test::answer_with(data)).take();
  EXPECT_EQ(names.port, 0x0102030405060708u);
  EXPECT_EQ(names.node, 0x0900000000000000u);
  data.primary_active = 0;
  names = parse_adapter_names(test::answer_with(data)).take();
  EXPECT_EQ(names.port, 7u);
  const auto bytes = test::answer_with(data);
  EXPECT_EQ(parse_adapter_names(std::span(bytes).first(47)).error(), Error::Truncated);
}

}  // namespace
}  // namespace hv::storvsc
