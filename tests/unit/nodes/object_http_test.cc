// What conditions, ranges and parts mean (RFC 9110, 13 and 14), on each route to an object and in each state of it.
#include <gmock/gmock.h>

#include "tests/unit/nodes/nodes_fixture.h"

namespace millrace {
namespace {

using testing::HasSubstr;

constexpr const char* kContent = "0123456789";
constexpr const char* kLongAgo = "Thu, 01 Jan 1970 00:00:01 GMT";

class ObjectHttp : public Nodes {
protected:
    void SetUp() override {
        Nodes::SetUp();
        create("b");
        add_transform("as-it-is", "cat");
    }

    // Straight to the target, or through the proxy.
    http::Reply call(bool by_proxy, const std::string& method, const std::string& name_and_query, const std::string& body = "", http::Headers headers = {}) {
        if (!by_proxy) return object(method, name_and_query, body, std::move(headers));
        const char* separator = name_and_query.find('?') == std::string::npos ? "?" : "&";
        return ask(method, "/v1/objects/" + name_and_query + separator + "redirect=no", body, std::move(headers));
    }
    void put(const std::string& name) { ASSERT_EQ(object("PUT", "b/" + name, kContent).status, 200); }
    std::string header(const std::string& name, std::string_view wanted) { return std::string(object("HEAD", "b/" + name).headers.find(wanted).value_or("")); }
    std::string tag(const std::string& name) { return header(name, "ETag"); }
    std::string content(const std::string& name) {
        const auto reply = object("GET", "b/" + name);
        return reply.status == 200 ? reply.body : "status " + std::to_string(reply.status);
    }
    static std::string found(const http::Reply& reply, std::string_view name) { return std::string(reply.headers.find(name).value_or("")); }

    static std::string text_of(const http::Headers& headers) {
        std::string text;
        for (const auto& [name, value] : headers) text += " " + name + ": " + value;
        return text;
    }

    // Headers with TAG and DATE for what the object has now.
    http::Headers filled(const http::Headers& headers, const std::string& name) {
        http::Headers all;
        for (const auto& [key, value] : headers) {
            std::string text = value;
            if (const std::size_t at = text.find("TAG"); at != text.npos) text.replace(at, 3, tag(name));
            if (text == "DATE") text = header(name, "Last-Modified");
            all.add(key, std::move(text));
        }
        return all;
    }
};

struct Condition {
    http::Headers headers;
    int read;    // GET and HEAD of an object
    int change;  // of an object
    int make;    // PUT where there is none
};

const Condition kConditions[] = {
    {{}, 200, 200, 200},
    {{{"If-Match", "TAG"}}, 200, 200, 412},
    {{{"If-Match", "\"other\", TAG"}}, 200, 200, 412},
    {{{"If-Match", "\"other\""}}, 412, 412, 412},
    {{{"If-Match", "*"}}, 200, 200, 412},
    {{{"If-Match", "W/TAG"}}, 412, 412, 412},
    {{{"If-Match", "unquoted"}}, 412, 412, 412},
    {{{"If-None-Match", "TAG"}}, 304, 412, 200},
    {{{"If-None-Match", "W/TAG"}}, 304, 412, 200},
    {{{"If-None-Match", "\"other\""}}, 200, 200, 200},
    {{{"If-None-Match", "\"other\", TAG"}}, 304, 412, 200},
    {{{"If-None-Match", "*"}}, 304, 412, 200},
    {{{"If-Modified-Since", "DATE"}}, 304, 200, 200},
    {{{"If-Modified-Since", kLongAgo}}, 200, 200, 200},
    {{{"If-Modified-Since", "yesterday"}}, 200, 200, 200},
    {{{"If-Modified-Since", "DATE"}, {"If-None-Match", "\"other\""}}, 200, 200, 200},
    {{{"If-Unmodified-Since", "DATE"}}, 200, 200, 200},
    {{{"If-Unmodified-Since", kLongAgo}}, 412, 412, 200},
    {{{"If-Unmodified-Since", "Friday, 01-Jan-99 00:00:01 GMT"}}, 412, 412, 200},
    {{{"If-Unmodified-Since", "Thu Jan  1 00:00:01 1970"}}, 412, 412, 200},
    {{{"If-Unmodified-Since", kLongAgo}, {"If-Match", "TAG"}}, 200, 200, 412},
};

TEST_F(ObjectHttp, ConditionsOfReading) {
    put("x");
    for (const bool by_proxy : {false, true}) {
        for (const Condition& condition : kConditions) {
            const http::Headers headers = filled(condition.headers, "x");
            const std::string what = text_of(headers) + (by_proxy ? " by the proxy" : "");
            for (const char* method : {"GET", "HEAD"}) {
                const auto reply = call(by_proxy, method, "b/x", "", headers);
                EXPECT_EQ(reply.status, condition.read) << method << " " << what;
                EXPECT_EQ(found(reply, "ETag"), tag("x")) << method << " " << what;
                EXPECT_EQ(found(reply, "Last-Modified"), header("x", "Last-Modified")) << method << " " << what;
                EXPECT_EQ(found(reply, "Accept-Ranges"), "bytes") << method << " " << what;
                EXPECT_NE(found(reply, "Date"), "") << method << " " << what;
                if (reply.status == 304) EXPECT_EQ(reply.body, "") << what;
                if (reply.status == 412 && method == std::string_view("GET")) EXPECT_THAT(reply.body, HasSubstr("\"url_path\"")) << what;
            }
            EXPECT_EQ(call(by_proxy, "GET", "b/none", "", headers).status, 404) << what << ": there is nothing to make conditions about";
            EXPECT_EQ(call(by_proxy, "HEAD", "b/none", "", headers).status, 404) << what;
        }
    }
}

TEST_F(ObjectHttp, ConditionsOfChanges) {
    struct Change {
        const char* method;
        const char* query;
        const char* body;
        const char* content;  // afterwards
    };
    constexpr Change kChanges[] = {
        {"PUT", "", "new", "new"},
        {"DELETE", "", "", "status 404"},
        {"PATCH", "", R"({"action":"","value":{"a":"1"}})", kContent},
        {"PUT", "?object_to=ais/@%23/b/copy", "", kContent},
        {"PUT", "?object_to=ais/@%23/b/copy&etl_name=as-it-is", "", kContent},
    };
    for (const bool by_proxy : {false, true}) {
        for (const Condition& condition : kConditions) {
            for (const Change& change : kChanges) {
                put("x");
                (void)object("DELETE", "b/copy");
                const http::Headers headers = filled(condition.headers, "x");
                const std::string before = tag("x");
                const auto reply = call(by_proxy, change.method, std::string("b/x") + change.query, change.body, headers);
                const std::string what = std::string(change.method) + change.query + " " + text_of(headers);
                EXPECT_EQ(reply.status, condition.change) << what << reply.body;
                EXPECT_EQ(content("x"), condition.change == 200 ? change.content : kContent) << what;
                if (condition.change != 200) EXPECT_EQ(tag("x"), before) << what;
                const bool copies = std::string_view(change.query) != "";
                EXPECT_EQ(content("copy"), copies && condition.change == 200 ? kContent : "status 404") << what;
            }
            put("x");
            const http::Headers headers = filled(condition.headers, "x");
            ASSERT_EQ(object("DELETE", "b/x").status, 200);
            EXPECT_EQ(call(by_proxy, "DELETE", "b/x", "", headers).status, 404);
            EXPECT_EQ(call(by_proxy, "PUT", "b/x", "made", headers).status, condition.make);
            EXPECT_EQ(content("x"), condition.make == 200 ? "made" : "status 404");
        }
    }
}

TEST_F(ObjectHttp, ConditionsOfWhatComesInSeveralRequests) {
    put("x");
    const http::Headers if_other{{"If-Match", "\"other\""}};
    const auto handle = [](const http::Reply& reply) { return "&append_handle=" + found(reply, "Ais-Append-Handle"); };
    const std::string first = handle(object("PUT", "b/x?append_type=append&append_handle=", "+"));
    EXPECT_EQ(object("PUT", "b/x?append_type=append" + first, "more", if_other).status, 400) << "nothing changes yet";
    EXPECT_EQ(object("PUT", "b/x?append_type=flush" + first, "", if_other).status, 412);
    EXPECT_EQ(content("x"), kContent);
    EXPECT_EQ(object("PUT", "b/x?append_type=flush" + first, "", {{"If-Match", tag("x")}}).status, 200);
    EXPECT_EQ(content("x"), std::string(kContent) + "+");
    const std::string upload = "?uploadId=" + object("POST", "b/x", R"({"action":"mpt-upload"})").body;
    EXPECT_EQ(object("PUT", "b/x" + upload + "&partNumber=1", "part", if_other).status, 400);
    EXPECT_EQ(object("PUT", "b/x" + upload + "&partNumber=1", "part").status, 200);
    const std::string complete = R"({"action":"mpt-complete","value":[{"part-number":1}]})";
    EXPECT_EQ(object("POST", "b/x" + upload, complete, {{"If-None-Match", "*"}}).status, 412);
    EXPECT_EQ(content("x"), std::string(kContent) + "+");
    EXPECT_EQ(object("POST", "b/x" + upload, complete, {{"If-Match", tag("x")}}).status, 200);
    EXPECT_EQ(content("x"), "part");
}

struct Range {
    http::Headers headers;
    int status;
    const char* body;
    const char* content_range = "";
};

TEST_F(ObjectHttp, RangesOfAnObject) {
    put("x");
    const Range ranges[] = {
        {{{"Range", "bytes=2-4"}}, 206, "234", "bytes 2-4/10"},
        {{{"Range", "bytes=8-99"}}, 206, "89", "bytes 8-9/10"},
        {{{"Range", "bytes=3-"}}, 206, "3456789", "bytes 3-9/10"},
        {{{"Range", "bytes=-3"}}, 206, "789", "bytes 7-9/10"},
        {{{"Range", "bytes=-30"}}, 206, kContent, "bytes 0-9/10"},
        {{{"Range", "bytes=10-"}}, 416, "", "bytes */10"},
        {{{"Range", "bytes=-0"}}, 416, "", "bytes */10"},
        {{{"Range", "bytes=4-2"}}, 416, "", "bytes */10"},
        {{{"Range", "bytes=0-1,4-5"}}, 416, "", "bytes */10"},
        {{{"Range", "items=0-1"}}, 200, kContent},
        {{{"Range", "bytes=2-4"}, {"If-Range", "TAG"}}, 206, "234", "bytes 2-4/10"},
        {{{"Range", "bytes=2-4"}, {"If-Range", "\"other\""}}, 200, kContent},
        {{{"Range", "bytes=2-4"}, {"If-Range", "W/TAG"}}, 200, kContent},
        {{{"Range", "bytes=2-4"}, {"If-Range", "DATE"}}, 200, kContent},
        {{{"Range", "bytes=2-4"}, {"If-Range", "unquoted"}}, 200, kContent},
        {{{"Range", "bytes=10-"}, {"If-Range", "\"other\""}}, 200, kContent},
        {{{"Range", "bytes=10-"}, {"If-Range", "TAG"}}, 416, "", "bytes */10"},
        {{{"Range", "bytes=2-4"}, {"If-Match", "TAG"}}, 206, "234", "bytes 2-4/10"},
        {{{"Range", "bytes=2-4"}, {"If-Match", "\"other\""}}, 412, ""},
        {{{"Range", "bytes=2-4"}, {"If-None-Match", "TAG"}}, 304, ""},
        {{{"If-Range", "\"other\""}}, 200, kContent},
    };
    for (const bool by_proxy : {false, true}) {
        for (const Range& range : ranges) {
            const http::Headers headers = filled(range.headers, "x");
            const std::string what = text_of(headers);
            const auto reply = call(by_proxy, "GET", "b/x", "", headers);
            EXPECT_EQ(reply.status, range.status) << what;
            EXPECT_EQ(found(reply, "Content-Range"), range.content_range) << what;
            if (range.status < 400) EXPECT_EQ(reply.body, range.body) << what;
            EXPECT_EQ(found(reply, "ETag"), tag("x")) << what;
            EXPECT_EQ(found(reply, "Last-Modified"), header("x", "Last-Modified")) << what;
            EXPECT_EQ(found(reply, "Accept-Ranges"), "bytes") << what;
        }
        const auto head = call(by_proxy, "HEAD", "b/x", "", {{"Range", "bytes=99-"}});
        EXPECT_EQ(head.status, 200) << "a Range is of a GET";
        EXPECT_EQ(found(head, "Content-Length"), "10");
    }
    ASSERT_EQ(object("PUT", "b/empty", "").status, 200);
    const auto reply = object("GET", "b/empty", "", {{"Range", "bytes=0-"}});
    EXPECT_EQ(reply.status, 416);
    EXPECT_EQ(found(reply, "Content-Range"), "bytes */0");
}

// Two runs of a transform may make two contents: nothing of one is put behind the beginning of another.
TEST_F(ObjectHttp, RangesAndConditionsOfATransformedObject) {
    put("x");
    const Range ranges[] = {
        {{}, 200, kContent},
        {{{"Range", "bytes=0-"}}, 200, kContent},
        {{{"Range", "bytes=0-4"}}, 200, kContent},
        {{{"Range", "items=2-4"}}, 200, kContent},
        {{{"Range", "bytes=2-"}}, 400, ""},
        {{{"Range", "bytes=2-4"}}, 400, ""},
        {{{"Range", "bytes=-3"}}, 400, ""},
        {{{"Range", "bytes=99-"}}, 400, ""},
        {{{"Range", "bytes=0-1,4-5"}}, 400, ""},
        {{{"Range", "bytes=2-"}, {"If-Range", "TAG"}}, 200, kContent},
        {{{"Range", "bytes=2-"}, {"If-Range", "DATE"}}, 200, kContent},
        {{{"If-Match", "TAG"}}, 412, ""},
        {{{"If-Match", "*"}}, 200, kContent},
        {{{"If-None-Match", "TAG"}}, 200, kContent},
        {{{"If-None-Match", "*"}}, 304, ""},
        {{{"If-Modified-Since", "DATE"}}, 200, kContent},
        {{{"If-Unmodified-Since", kLongAgo}}, 200, kContent},
    };
    for (const bool by_proxy : {false, true}) {
        for (const char* query : {"?etl_name=as-it-is", "?etl_name=as-it-is&etl_pipeline=as-it-is"}) {
            for (const Range& range : ranges) {
                const http::Headers headers = filled(range.headers, "x");
                const std::string what = query + text_of(headers);
                const auto reply = call(by_proxy, "GET", std::string("b/x") + query, "", headers);
                EXPECT_EQ(reply.status, range.status) << what << reply.body;
                if (range.status < 400) EXPECT_EQ(reply.body, range.body) << what;
                if (range.status < 400) EXPECT_EQ(found(reply, "Accept-Ranges"), "none") << what;
                for (const char* of_the_source : {"ETag", "Last-Modified", "Content-Range", "Ais-Version", "Ais-Checksum-Value"}) {
                    EXPECT_EQ(found(reply, of_the_source), "") << what << " " << of_the_source;
                }
                EXPECT_EQ(call(by_proxy, "GET", std::string("b/none") + query, "", headers).status, 404) << what;
            }
        }
    }
}

TEST_F(ObjectHttp, AHeadOfATransformedObjectSaysNothingOfItsSource) {
    put("x");
    for (const bool by_proxy : {false, true}) {
        const auto reply = call(by_proxy, "HEAD", "b/x?etl_name=as-it-is", "", {{"Range", "bytes=2-"}});
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(found(reply, "Accept-Ranges"), "none");
        for (const char* of_the_source : {"Content-Length", "ETag", "Last-Modified", "Ais-Version", "Ais-Checksum-Value", "Ais-Checksum-Type", "Ais-Atime"}) {
            EXPECT_EQ(found(reply, of_the_source), "") << of_the_source;
        }
        for (const char* absent : {"b/x?etl_name=not-there", "b/x?etl_name=as-it-is&etl_pipeline=not-there", "b/none?etl_name=as-it-is",
                                   "none/x?etl_name=as-it-is"}) {
            const auto refused = call(by_proxy, "HEAD", absent);
            EXPECT_EQ(refused.status, 404) << absent;
            EXPECT_THAT(found(refused, "Hdr-Error"), HasSubstr("not_found")) << absent;
        }
        for (const char* method : {"GET", "HEAD"}) EXPECT_EQ(call(by_proxy, method, "b/x?etl_pipeline=as-it-is").status, 400);
        EXPECT_EQ(call(by_proxy, "PUT", "b/x?object_to=ais/@%23/b/copy&etl_pipeline=as-it-is").status, 400);
    }
    EXPECT_EQ(content("copy"), "status 404");
}

TEST_F(ObjectHttp, APutOfAPartIsRefusedAndChangesNothing) {
    put("x");
    const http::Headers tail{{"Content-Range", "bytes 5-9/10"}};
    const std::string upload = "?uploadId=" + object("POST", "b/x", R"({"action":"mpt-upload"})").body;
    const std::string handle(object("PUT", "b/x?append_type=append&append_handle=", "+").headers.find("Ais-Append-Handle").value_or(""));
    for (const bool by_proxy : {false, true}) {
        for (const std::string& query : {std::string(), upload + "&partNumber=1", "?append_type=append&append_handle=" + handle,
                                         "?append_type=flush&append_handle=" + handle, std::string("?object_to=ais/@%23/b/copy")}) {
            const auto reply = call(by_proxy, "PUT", "b/x" + query, "56789", tail);
            EXPECT_EQ(reply.status, 400) << query;
            EXPECT_THAT(reply.body, HasSubstr("Content-Range")) << query;
        }
        EXPECT_EQ(call(by_proxy, "PUT", "b/none", "56789", tail).status, 400);
    }
    EXPECT_EQ(ask("PUT", "/v1/objects/b/x", "56789", tail).status, 400) << "not even redirected";
    EXPECT_EQ(content("x"), kContent);
    EXPECT_EQ(content("none"), "status 404");
    EXPECT_EQ(content("copy"), "status 404");
    EXPECT_EQ(object("POST", "b/x" + upload, R"({"action":"mpt-complete","value":[{"part-number":1}]})").status, 400) << "no part has arrived";
    EXPECT_EQ(object("PUT", "b/x?append_type=flush&append_handle=" + handle).status, 200);
    EXPECT_EQ(content("x"), std::string(kContent) + "+");
}

}  // namespace
}  // namespace millrace
