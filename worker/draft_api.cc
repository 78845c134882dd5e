#include "worker/draft_api.h"

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "core/whole_number.h"
#include "http/query_number.h"
#include "worker/action_message.h"
#include "worker/checked_body.h"
#include "worker/object_headers.h"

namespace millrace::worker {
namespace {

using Appended = ObjectUploads::Appended;

Result<Appended> parse_handle(const std::string& text) {
    const std::size_t dot = std::min(text.rfind('.'), text.size());
    const auto length = parse_whole<std::uint64_t>(std::string_view(text).substr(std::min(dot + 1, text.size())));
    if (!length) return fail(Code::invalid_argument, "append_handle '" + text + "' is not one that an append answered with");
    return Appended{text.substr(0, dot), *length};
}

std::string handle_text(const Appended& appended) { return appended.id + "." + std::to_string(appended.length); }

Error nothing_to_flush() { return fail(Code::invalid_argument, "there is nothing to flush: give the append_handle of the last append"); }

Result<void> check_append_type(const std::string& type) {
    if (type == "append" || type == "flush") return {};
    return fail(Code::invalid_argument, "append_type must be append or flush, not '" + type + "'");
}

Result<std::vector<std::uint32_t>> part_numbers(const nlohmann::json& value) {
    const Error wrong = fail(Code::invalid_argument, R"(the value of mpt-complete must be a list such as [{"part-number": 1}])");
    if (!value.is_array()) return wrong;
    std::vector<std::uint32_t> numbers;
    for (const auto& part : value) {
        const nlohmann::json number = member(part, "part-number");
        if (!number.is_number_unsigned() || number.get<std::uint64_t>() > store::kPieceNumberMax) return wrong;
        numbers.push_back(number.get<std::uint32_t>());
    }
    return numbers;
}

ChangeCondition condition_of(const http::Headers& headers) { return ChangeCondition(http::Conditions(headers, unix_now_ns() / 1'000'000'000)); }

// They are about the object, which stays as it is for now.
Result<void> refuse_conditions(const http::Headers& headers) {
    if (condition_of(headers).if_any() == nullptr) return {};
    return fail(Code::invalid_argument, "nothing of the object changes yet, so no condition can be made; make it with the flush or with mpt-complete");
}

}  // namespace

Task<Result<void>> DraftApi::append(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const std::string type = request.query.get("append_type");
    const std::string text = request.query.get("append_handle");
    MILLRACE_CO_TRY(check_append_type(type));
    std::optional<Appended> handle;
    if (!text.empty()) {
        MILLRACE_CO_TRY_ASSIGN(handle, parse_handle(text));
    } else if (type == "flush" && request.size() == 0) {
        co_return nothing_to_flush();
    }
    MILLRACE_CO_TRY_ASSIGN(const ExpectedContent expected, expected_content(request.headers));
    CheckedBody body(request, expected.digest);
    if (type == "flush") {
        ChangeCondition condition = condition_of(request.headers);
        const Result<store::ObjectInfo> info = co_await uploads_.flush(bucket, name, handle, body, expected.checksum, condition.if_any());
        co_return co_await answer_published(response, info, condition);
    }
    MILLRACE_CO_TRY(refuse_conditions(request.headers));
    MILLRACE_CO_TRY_ASSIGN(const Appended appended, co_await uploads_.append(bucket, name, handle, body, expected.checksum));
    http::Headers headers{{"Ais-Append-Handle", handle_text(appended)}};
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<void>> DraftApi::command(const ActionMessage& message, http::Request& request, http::Response& response, const std::string& bucket,
                                     const std::string& name) {
    if (message.action == "mpt-upload") {
        MILLRACE_CO_TRY_ASSIGN(const std::string id, uploads_.begin(bucket, name));
        http::Headers headers{{"Content-Type", "text/plain"}};
        co_return co_await response.send(200, std::move(headers), id);
    }
    if (message.action != "mpt-complete") {
        co_return fail(Code::invalid_argument, "action '" + message.action.substr(0, 100) +
            "' is not known on objects; known: rename-obj, check-lock, mpt-upload, mpt-complete");
    }
    MILLRACE_CO_TRY_ASSIGN(std::vector<std::uint32_t> numbers, part_numbers(message.value));
    const store::DraftName upload{request.query.get("uploadId"), bucket, name};
    ChangeCondition condition = condition_of(request.headers);
    const Result<store::ObjectInfo> info = co_await uploads_.complete(upload, std::move(numbers), condition.if_any());
    MILLRACE_CO_TRY(co_await answer_published(response, info, condition));
    if (info) uploads_.note_answered(upload);
    co_return Result<void>{};
}

Task<Result<void>> DraftApi::answer_published(http::Response& response, const Result<store::ObjectInfo>& info, const ChangeCondition& condition) const {
    if (condition.has_refused()) co_return co_await response.send_error(info.error(), 412);
    if (!info) co_return info.error();
    co_return co_await response.send(200, object_headers(*info, self_), "");
}

Task<Result<void>> DraftApi::put_part(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(refuse_conditions(request.headers));
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::uint64_t> number, http::query_number(request.query, "partNumber", 1, store::kPieceNumberMax));
    if (!number) co_return fail(Code::invalid_argument, "a part needs partNumber in the query");
    const store::DraftName upload{request.query.get("uploadId"), bucket, name};
    ObjectUploads::PartOptions options;
    MILLRACE_CO_TRY_ASSIGN(const ExpectedContent expected, expected_content(request.headers));
    options.expected_checksum = expected.checksum;
    const bool is_appended = request.query.find("append_type").has_value();
    options.may_be_empty = is_appended;
    if (is_appended) {
        MILLRACE_CO_TRY(check_append_type(request.query.get("append_type")));
        if (const std::string handle = request.query.get("append_handle"); !handle.empty()) {
            MILLRACE_CO_TRY_ASSIGN(const Appended part, parse_handle(handle));
            if (part.id != upload.id) co_return fail(Code::invalid_argument, "append_handle '" + handle + "' is not of the upload " + upload.id);
            options.extend_at = part.length;
        } else if (request.query.get("append_type") == "flush" && request.size() == 0) {
            co_return nothing_to_flush();
        }
    }
    CheckedBody body(request, expected.digest);
    MILLRACE_CO_TRY_ASSIGN(const std::uint64_t length, co_await uploads_.put_part(upload, static_cast<std::uint32_t>(*number), body, options));
    http::Headers headers;
    if (is_appended) headers.set("Ais-Append-Handle", handle_text({upload.id, length}));
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<void>> DraftApi::abort(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(uploads_.abort({request.query.get("uploadId"), bucket, name}));
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::worker
