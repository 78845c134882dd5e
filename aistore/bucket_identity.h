// How AIStore names buckets: a name and a provider in the query, "ais/@#/NAME/" elsewhere. Buckets here are of the provider
// "ais" and of the one namespace without a name. Pure.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/uri.h"

namespace millrace::aistore {

// Code::not_found, in the words that AIStore's SDK reads, for a bucket of another provider or namespace: there is none.
Result<void> check_provider(const Query& query, const std::string& bucket);
// The bucket of "ais/@#/NAME/", or of a name alone, such as `bck_to`.
Result<std::string> bucket_of_path(std::string_view path);
// The bucket of {"name":…,"provider":…,"namespace":…}, such as `tobck`.
Result<std::string> bucket_of_model(const nlohmann::json& model);
nlohmann::json bucket_model(const std::string& bucket);

}  // namespace millrace::aistore
