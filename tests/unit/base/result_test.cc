// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

namespace hv {
namespace {

static_assert(sizeof(Result<void>) <= 2);
static_assert(std::is_trivially_destructible_v<Result<int>>);
static_assert(!std::is_trivially_destructible_v<Result<std::unique_ptr<int>>>);
static_assert(!std::is_copy_constructible_v<Result<int>>);

Result<int> half(int value) {
  if (value % 2 != 0) return Error::BadValue;
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = HV_TRY(half(value));
  return HV_TRY(half(once));
}

Result<void> check(int value) {
  (void)HV_TRY(half(value));
  return {};
}

Result<void> check_twice(int value) {
  HV_TRY(check(value));
  HV_TRY(check(value / 2));
  return {};
}

TEST(Result, HoldsAValue) {
  auto result = half(8);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(*result, 4);
  EXPECT_EQ(result.take(), 4);
}

TEST(Result, HoldsAnError) {
  const auto result = half(7);
  EXPECT_FALSE(result);
  EXPECT_EQ(result.error(), Error::BadValue);
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(7).error(), Error::BadValue);
  EXPECT_EQ(quarter(6).error(), Error::BadValue);
  EXPECT_TRUE(check_twice(4));
  EXPECT_EQ(check_twice(6).error(), Error::BadValue);
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(3);
  Result<std::unique_ptr<int>> moved = std::move(made);
  ASSERT_TRUE(moved);
  EXPECT_EQ(**moved, 3);
  const std::unique_ptr<int> taken = moved.take();
  EXPECT_EQ(*taken, 3);
  Result<std::unique_ptr<int>> failed = Error::NoMemory;
  Result<std::unique_ptr<int>> still = std::move(failed);
  EXPECT_EQ(still.error(), Error::NoMemory);
}

TEST(Result, DestroysItsValue) {
  const auto counted = std::make_shared<int>(1);
  {
    const Result<std::shared_ptr<int>> result = counted;
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(Result, IsKnownAtCompileTime) {
  constexpr auto twice = [](int value) -> Result<int> { return value * 2; };
  static_assert(twice(4).take() == 8);
}

TEST(Result, TrapsWhenAskedForTheWrongOne) {
  EXPECT_DEATH((void)half(7).take(), "");
  EXPECT_DEATH((void)half(8).error(), "");
  EXPECT_DEATH((void)Result<void>().error(), "");
  EXPECT_DEATH(Result<void>(Error::Gone).take(), "");
}

TEST(Error, HasANameForEach) {
  for (int i = 0; i <= static_cast<int>(Error::Gone); i++) {
    EXPECT_NE(std::string_view(name(static_cast<Error>(i))), "unknown") << i;
    for (int j = 0; j < i; j++)
      EXPECT_NE(std::string_view(name(static_cast<Error>(i))), name(static_cast<Error>(j)));
  }
  EXPECT_STREQ(name(static_cast<Error>(200)), "unknown");
}

}  // namespace
}  // namespace hv
