// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/server.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "host/hostile/methods.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::hostile {
namespace {

using namespace hv::test;
using namespace std::chrono_literals;

class TestDevice final : public vmbus::Device {
 public:
  const vmbus::OfferInfo& offer() const override { return info_; }
  std::string name() const override { return "test"; }
  bool opened(vmbus::OpenChannel& channel) override {
    open = &channel;
    return true;
  }
  void closed(vmbus::OpenChannel& channel) override {
    EXPECT_EQ(&channel, open);
    open = nullptr;
  }
  vmbus::OpenChannel* open = nullptr;

 private:
  vmbus::OfferInfo info_ = offer_info(1);
};

TEST(HostileServer, ServesHonestlyThenAttacksAndCloses) {
  FakeMachine machine(256, 2);
  auto device = std::make_shared<TestDevice>();
  uint64_t deeds = 0;
  {
    Server server(machine, {}, {});
    ASSERT_TRUE(server.add(device).ok());
    const auto say = [&](const Bytes& bytes) {
      ASSERT_TRUE(server.message_from_guest(4, 1, bytes));
      server.drain();
    };
    say(contact(Version::V5_3));
    say(plain(MessageType::RequestOffers));
    const auto words = range_words(8);
    say(gpadl_header(1, 1, words, words.size()));
    say(open(1, 1, 4));
    ASSERT_NE(device->open, nullptr);
    size_t messages = 0;
    while (machine.take_message()) messages++;
    EXPECT_EQ(messages, 5u);

    control::Methods methods;
    add_hostile_methods(methods, server.intent, {.seed = 3, .rate = 900});
    EXPECT_NE(
        methods
            .answer(R"({"jsonrpc":"2.0","id":1,"method":"hostile.start","params":{"rate":1000}})")
            .find(R"("seed":3)"),
        std::string::npos);
    while (server.intent.deeds(Deed::ForgedMessage) < 5 ||
           server.intent.deeds(Deed::ForgedPacket) < 5)
      std::this_thread::sleep_for(1ms);
    EXPECT_NE(methods.answer(R"({"jsonrpc":"2.0","id":2,"method":"hostile.stop"})")
                  .find(R"("evil":false)"),
              std::string::npos);
    EXPECT_NE(
        methods
            .answer(R"({"jsonrpc":"2.0","id":3,"method":"hostile.start","params":{"rate":1001}})")
            .find("per mille"),
        std::string::npos);
    deeds = server.intent.deeds(Deed::ForgedPacket);
  }
  EXPECT_GE(deeds, 5u);
  EXPECT_EQ(device->open, nullptr);
  EXPECT_EQ(machine.mappings(), 0u);
}

TEST(HostileServer, StartsByItselfWhenToldTo) {
  FakeMachine machine(16);
  Server server(machine, {}, {.seed = 1, .rate = 1000, .after = 0s});
  while (server.intent.deeds(Deed::ForgedMessage) == 0) std::this_thread::sleep_for(1ms);
}

}  // namespace
}  // namespace hv::host::hostile
