// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/ic/negotiate.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>
#include <vector>

namespace hv::ic::test {
namespace {

using wire::ic::Negotiate;
using wire::ic::Version;

constexpr Version kFrameworks[] = {{3, 0}, {1, 0}};
constexpr Version kServices[] = {{4, 0}, {3, 0}};

std::vector<std::byte> offer(uint16_t frameworks, uint16_t services,
                             const std::vector<Version>& versions) {
  const Negotiate head{frameworks, services, 0};
  std::vector<std::byte> bytes(sizeof(head) + versions.size() * sizeof(Version));
  std::memcpy(bytes.data(), &head, sizeof(head));
  if (!versions.empty())
    std::memcpy(bytes.data() + sizeof(head), versions.data(), versions.size() * sizeof(Version));
  return bytes;
}

Negotiate head(const std::vector<std::byte>& bytes) {
  Negotiate head{};
  std::memcpy(&head, bytes.data(), sizeof(head));
  return head;
}

Version version(const std::vector<std::byte>& bytes, size_t index) {
  Version version{};
  std::memcpy(&version, bytes.data() + sizeof(Negotiate) + index * sizeof(version),
              sizeof(version));
  return version;
}

TEST(IcNegotiate, TakesTheBestOfOursThatTheHostOffers) {
  auto bytes = offer(2, 2, {{1, 0}, {3, 0}, {3, 0}, {5, 0}});
  const auto result = negotiate(bytes, kFrameworks, kServices);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->agreed);
  EXPECT_EQ(result->framework, (Version{3, 0}));
  EXPECT_EQ(result->service, (Version{3, 0}));
  EXPECT_EQ(head(bytes).framework_count, 1);
  EXPECT_EQ(head(bytes).service_count, 1);
  EXPECT_EQ(version(bytes, 0), (Version{3, 0}));
  EXPECT_EQ(version(bytes, 1), (Version{3, 0}));
}

TEST(IcNegotiate, DoesNotTakeAServiceVersionForOneOfTheFramework) {
  auto bytes = offer(1, 2, {{9, 0}, {3, 0}, {4, 0}});
  const auto result = negotiate(bytes, kFrameworks, kServices);
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->agreed);
  EXPECT_EQ(head(bytes).framework_count, 0);
  EXPECT_EQ(head(bytes).service_count, 0);
}

TEST(IcNegotiate, AnswersHowManyThereWereWhereNoneFits) {
  auto bytes = offer(1, 1, {{9, 0}, {9, 0}});
  const auto result = negotiate(bytes, kFrameworks, kServices);
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->agreed);
  EXPECT_EQ(version(bytes, 0), (Version{1, 0}));
  EXPECT_EQ(version(bytes, 1), (Version{1, 0}));
}

TEST(IcNegotiate, RefusesMoreVersionsThanTheMessageHas) {
  for (const auto& [frameworks, services] :
       std::vector<std::pair<int, int>>{{1, 2}, {2, 1}, {101, 1}, {1, 101}, {0xffff, 0xffff}}) {
    auto bytes =
        offer(static_cast<uint16_t>(frameworks), static_cast<uint16_t>(services), {{3, 0}, {4, 0}});
    const auto result = negotiate(bytes, kFrameworks, kServices);
    ASSERT_TRUE(result.ok());
    EXPECT_FALSE(result->agreed);
    EXPECT_EQ(head(bytes).framework_count, 0);
  }
}

TEST(IcNegotiate, StaysInsideOfAMessageOfAnyLength) {
  for (size_t size = 0; size < 24; size++) {
    auto bytes = offer(1, 1, {{3, 0}, {4, 0}, {0, 0}, {0, 0}});
    bytes.resize(size);
    bytes.shrink_to_fit();
    const auto result = negotiate(bytes, kFrameworks, kServices);
    EXPECT_EQ(result.ok(), size >= 4);
    EXPECT_EQ(result.ok() && result->agreed, size >= 16);
  }
}

}  // namespace
}  // namespace hv::ic::test
