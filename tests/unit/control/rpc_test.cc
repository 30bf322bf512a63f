// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/rpc.hpp"

#include <gtest/gtest.h>

namespace hv::host::control {
namespace {

using nlohmann::json;

class RpcTest : public ::testing::Test {
 protected:
  RpcTest() {
    methods.add("echo", "gives back",
                {{"text", ParameterType::String, true, ""},
                 {"times", ParameterType::Integer, false, ""},
                 {"loud", ParameterType::Boolean, false, ""}},
                [this](const json& params) {
                  calls++;
                  return params;
                });
    methods.add("fail", "fails", {}, [](const json&) -> json { throw RpcFailure("no such disk"); });
    methods.add("throw", "throws", {},
                [](const json&) -> json { throw std::runtime_error("boom"); });
  }
  json ask(const std::string& text) {
    const std::string answer = methods.answer(text);
    return answer.empty() ? json() : json::parse(answer);
  }
  int code(const std::string& text) { return ask(text).at("error").at("code").get<int>(); }

  Methods methods;
  int calls = 0;
};

TEST_F(RpcTest, AnswersByNameAndByPlace) {
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":7,"method":"echo","params":{"text":"a","times":3}})"),
            json::parse(R"({"jsonrpc":"2.0","id":7,"result":{"text":"a","times":3}})"));
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":"x","method":"echo","params":["a",3,true]})")["result"],
            json::parse(R"({"text":"a","times":3,"loud":true})"));
}

TEST_F(RpcTest, SaysWhatIsWrongByTheStandardsCodes) {
  EXPECT_EQ(code("{"), kParseError);
  EXPECT_EQ(code("\xff"), kParseError);
  EXPECT_EQ(code("7"), kInvalidRequest);
  EXPECT_EQ(code("[]"), kInvalidRequest);
  EXPECT_EQ(code("{}"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"1.0","id":1,"method":"echo"})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":4})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":{},"method":"echo"})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"nothing"})"), kMethodNotFound);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo"})"), kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":5})"), kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"a","more":1}})"),
            kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":[]}})"),
            kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"a","times":"3"}})"),
            kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo",)"
                 R"("params":{"text":"a","times":18446744073709551615}})"),
            kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":["a",1,true,4]})"),
            kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"fail"})"), kMethodFailed);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"throw"})"), kInternalError);
  EXPECT_EQ(calls, 0);
}

TEST_F(RpcTest, NamesTheMethodAndTheParameter) {
  EXPECT_EQ(
      ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"txt":"a"}})")["error"]["message"],
      "echo: there is no parameter 'txt'");
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"fail"})")["error"]["message"], "no such disk");
}

TEST_F(RpcTest, TakesANumberForAName) {
  EXPECT_EQ(
      ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":7}})")["result"]["text"],
      "7");
}

TEST_F(RpcTest, AnswersNoNotifications) {
  EXPECT_TRUE(ask(R"({"jsonrpc":"2.0","method":"echo","params":{"text":"a"}})").is_null());
  EXPECT_TRUE(ask(R"({"jsonrpc":"2.0","method":"fail"})").is_null());
  EXPECT_EQ(calls, 1);
}

TEST_F(RpcTest, AnswersABatch) {
  const json answers = ask(R"([{"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"a"}},)"
                           R"({"jsonrpc":"2.0","method":"fail"},3])");
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0]["id"], 1);
  EXPECT_EQ(answers[1]["error"]["code"], kInvalidRequest);
}

TEST_F(RpcTest, RefusesDeepNesting) {
  EXPECT_EQ(code(std::string(500000, '[')), kParseError);
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":)" + deep + "}}"),
            kParseError);
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":")" +
                std::string(100, '[') + R"(\"["}})")["result"]["text"],
            std::string(100, '[') + "\"[");
}

TEST_F(RpcTest, ListsItsMethods) {
  const json list = ask(R"({"jsonrpc":"2.0","id":1,"method":"rpc.help"})")["result"];
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0]["method"], "echo");
  EXPECT_EQ(list[0]["parameters"][0]["name"], "text");
  EXPECT_EQ(list[0]["parameters"][0]["required"], true);
}

}  // namespace
}  // namespace hv::host::control
