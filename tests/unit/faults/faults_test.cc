// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/faults/faults.hpp"

#include <gtest/gtest.h>

#include <set>

#include "host/control/faults.hpp"

namespace hv::host {
namespace {

using namespace std::chrono_literals;
using Unit = Fault::Unit;

TEST(Fault, DoesNothingUntilItIsSet) {
  for (const Unit unit : {Unit::Switch, Unit::Next, Unit::Every, Unit::Seconds}) {
    Fault fault("x", unit, "");
    EXPECT_FALSE(fault.strikes());
    EXPECT_EQ(fault.delay(), 0s);
    EXPECT_TRUE(fault.set(1));
    EXPECT_TRUE(fault.set(0));
    EXPECT_FALSE(fault.strikes());
    EXPECT_EQ(fault.delay(), 0s);
    EXPECT_EQ(fault.status().struck, 0u);
  }
}

TEST(Fault, StrikesTheNextTimes) {
  Fault fault("x", Unit::Next, "");
  fault.set(2);
  EXPECT_TRUE(fault.strikes());
  EXPECT_EQ(fault.status().value, 1u);
  EXPECT_TRUE(fault.strikes());
  EXPECT_FALSE(fault.strikes());
  EXPECT_EQ(fault.status().struck, 2u);
}

TEST(Fault, StrikesEachNthTime) {
  Fault fault("x", Unit::Every, "");
  fault.set(3);
  std::string when;
  for (int i = 0; i < 7; i++) when += fault.strikes() ? 'x' : '.';
  EXPECT_EQ(when, "..x..x.");
  fault.set(2);
  EXPECT_FALSE(fault.strikes()) << "it counts anew";
}

TEST(Fault, TakesSeconds) {
  Fault fault("x", Unit::Seconds, "");
  fault.set(7);
  EXPECT_EQ(fault.delay(), 7s);
  EXPECT_FALSE(fault.strikes());
}

TEST(Fault, ConcernsTheDevicesThatAreNamed) {
  Fault fault("x", Unit::Next, "");
  fault.set(2, "nic");
  EXPECT_FALSE(fault.strikes("scsi0"));
  EXPECT_TRUE(fault.strikes("nic0"));
  EXPECT_TRUE(fault.strikes("nic1"));
  EXPECT_EQ(fault.status().device, "nic");
}

TEST(Fault, RefusesMoreThanItsUnitAllows) {
  Fault fault("x", Unit::Switch, "");
  EXPECT_FALSE(fault.set(2));
  EXPECT_EQ(fault.status().value, 0u);
}

TEST(Faults, HaveEachANameOfTheirOwn) {
  Faults faults;
  std::set<std::string> names;
  for (Fault* fault : faults.all()) {
    EXPECT_TRUE(names.insert(fault->name()).second) << fault->name();
    EXPECT_EQ(faults.find(fault->name()), fault);
    EXPECT_NE(faults.help().find(fault->name()), std::string::npos);
  }
}

TEST(Faults, AreSetByText) {
  Faults faults;
  EXPECT_EQ(faults.set("modify-delay=5"), "");
  EXPECT_EQ(faults.modify_delay.delay("scsi0"), 5s);
  EXPECT_EQ(faults.set("refuse-open=2,device=nic"), "");
  EXPECT_EQ(faults.refuse_open.status().device, "nic");
  for (const char* wrong :
       {"", "modify-delay", "modify-delay=", "modify-delay=x", "modify-delay=5s", "modify-delay=-1",
        "modify-delay=3601", "modify-delay=99999999999", "nothing=1", "modify-delay=1,",
        "modify-delay=1,device=", "modify-delay=1,unit=2"}) {
    EXPECT_NE(faults.set(wrong), "") << wrong;
  }
  EXPECT_TRUE(
      faults.set("nothing=1").starts_with("there is no fault 'nothing': give modify-delay"));
  EXPECT_EQ(faults.set("modify-delay=3601"), "modify-delay=3601: give a number from 0 to 3600");
}

TEST(Faults, AreSetAndListedByMethods) {
  using nlohmann::json;
  Faults faults;
  control::Methods methods;
  control::add_fault_methods(methods, faults);
  const auto ask = [&](const char* method, const json& params) {
    return json::parse(methods.answer(
        json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump()));
  };
  auto answer = ask("fault.set", {{"name", "refuse-open"}, {"value", 2}, {"device", "scsi"}});
  EXPECT_EQ(answer["result"]["value"], 2) << answer;
  EXPECT_FALSE(faults.refuse_open.strikes("nic0"));
  EXPECT_TRUE(faults.refuse_open.strikes("scsi0"));
  answer = ask("fault.list", json::object());
  ASSERT_EQ(answer["result"].size(), faults.all().size());
  for (const json& fault : answer["result"]) {
    const bool it = fault["name"] == "refuse-open";
    EXPECT_EQ(fault["value"], it ? 1 : 0);
    EXPECT_EQ(fault["struck"], it ? 1 : 0);
  }
  answer = ask("fault.set", {{"name", "refuse-open"}, {"value", -1}});
  EXPECT_EQ(answer["error"]["message"], "refuse-open=-1: give a number from 0 to 1000000");
}

}  // namespace
}  // namespace hv::host
