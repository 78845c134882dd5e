#include "store/drafts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/clock.h"
#include "core/fault.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/names.h"
#include "core/whole_number.h"
#include "state/families.h"
#include "store/draft_pieces.h"
#include "store/draft_record.h"
#include "store/local_writer.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
namespace family = state::target_family;
constexpr std::string_view kIdPrefix = "draft-";
constexpr std::string_view kDraftPrefix = "draft/";
constexpr std::string_view kPiecePrefix = "draft-piece/";

std::string draft_key(const std::string& id) { return std::string(kDraftPrefix) + id; }
std::string piece_key(const std::string& id, std::uint32_t number) { return std::string(kPiecePrefix) + id + "/" + std::to_string(number); }

std::optional<std::uint32_t> parse_number(std::string_view text) {
    const auto number = parse_whole<std::uint32_t>(text);
    return number && *number > 0 && *number <= kPieceNumberMax ? number : std::nullopt;
}

Error unknown(const std::string& id) {
    return fail(Code::not_found, "the unpublished object '" + id +
        "' does not exist: it was published, given up, or nothing came for it for too long; begin again");
}

// Whether a sorted list of numbers names each of the pieces once.
template <class Pieces>
Result<void> check_list(const std::string& id, const Pieces& pieces, const std::vector<std::uint32_t>& numbers) {
    const auto refuse = [&id](const std::string& what) { return fail(Code::invalid_argument, "'" + id + "' " + what); };
    if (numbers.empty()) return refuse("has no chunks to be completed from: send at least one part, and list it");
    for (const std::uint32_t number : numbers) {
        if (!pieces.contains(number)) return refuse("lacks part " + std::to_string(number) + ", which has not arrived; send it, then complete again");
    }
    if (numbers.size() != pieces.size() || std::ranges::adjacent_find(numbers) != numbers.end()) {
        return refuse("has " + std::to_string(pieces.size()) + " parts, and " + std::to_string(numbers.size()) +
            " are listed: partial completion is refused; list each part once, or abort it");
    }
    if (numbers.back() == pieces.size()) return {};
    std::uint32_t missing = 1;
    while (pieces.contains(missing)) ++missing;
    return refuse("lacks part " + std::to_string(missing) + ": parts are numbered from 1 without gaps; send it, then complete again with it");
}

}  // namespace

bool is_draft_id(std::string_view id) {
    const auto is_letter = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); };
    return id.size() > kIdPrefix.size() && id.starts_with(kIdPrefix) && std::ranges::all_of(id.substr(kIdPrefix.size()), is_letter);
}

// While it lives no piece of the draft changes.
class Drafts::Claim {
public:
    Claim(Drafts& drafts, std::shared_ptr<Draft> draft) : drafts_(drafts), draft_(std::move(draft)) {
        draft_->publishing = true;
        ++draft_->users;
    }
    ~Claim() {
        const std::lock_guard lock(drafts_.mutex_);
        draft_->publishing = false;
        --draft_->users;
    }
    Claim(const Claim&) = delete;

    Draft& draft() const { return *draft_; }

private:
    Drafts& drafts_;
    const std::shared_ptr<Draft> draft_;
};

// --- Commands ---

Result<DraftName> Drafts::begin(const std::string& bucket, const std::string& object) {
    MILLRACE_TRY(validate_bucket_name(bucket));
    MILLRACE_TRY(validate_object_name(object));
    expire();
    MILLRACE_TRY_ASSIGN(const auto found, buckets_.find(bucket));
    auto draft = std::make_shared<Draft>();
    draft->name = {random_id(kIdPrefix), bucket, object};
    draft->generation = found->record().generation;
    draft->mountpath = mountpaths_.choose(object_key(found->key(), object)).id;
    draft->touched_ns = clock_->now_ns();
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY(make_room());
    MILLRACE_TRY(save(*draft));
    drafts_.emplace(draft->name.id, draft);
    return draft->name;
}

Result<std::unique_ptr<PieceWriter>> Drafts::write_piece(const DraftName& name, std::uint32_t number, PieceOptions options) {
    if (number == 0 || number > kPieceNumberMax) {
        return fail(Code::invalid_argument, "parts have numbers from 1 to " + std::to_string(kPieceNumberMax) + ", not " + std::to_string(number));
    }
    std::unique_ptr<Writer> writer;
    {
        const std::lock_guard lock(mutex_);
        MILLRACE_TRY_ASSIGN(auto draft, find(name));
        MILLRACE_TRY(reserve(*draft, number, options));
        writer = std::make_unique<Writer>(*this, std::move(draft), number, options);
    }
    MILLRACE_TRY(writer->open());
    return writer;
}

Task<Result<ObjectInfo>> Drafts::publish(DraftName name, std::vector<std::uint32_t> numbers, WriteOptions options) {
    std::ranges::sort(numbers);
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<Claim> claimed, claim(name, numbers));
    Draft& draft = claimed->draft();
    if (draft.published_version != 0) co_return published_object(draft);
    MILLRACE_CO_TRY_ASSIGN(auto bucket, buckets_.find(name.bucket));
    options.size = 0;
    for (const auto& [number, piece] : draft.pieces) {
        *options.size += piece.size;
        if (options.parts) options.parts = Parts{options.parts->count + 1, std::max(options.parts->size_max, piece.size)};
    }
    LocalWriter writer(std::move(bucket), name.object, std::move(options), mountpaths_, publisher_);
    for (const std::uint32_t number : numbers) {
        MILLRACE_CO_TRY_ASSIGN(const std::string folder, folder_of(draft));
        const Piece& piece = draft.pieces.at(number);
        PieceReader reader(folder + "/" + std::to_string(number), piece.size, piece.checksum);
        MILLRACE_CO_TRY(co_await pump(reader, writer));
    }
    MILLRACE_CO_TRY(MILLRACE_FAULT_POINT("store.before_draft_publish"));
    MILLRACE_CO_TRY_ASSIGN(ObjectInfo info, co_await writer.commit());
    MILLRACE_CO_TRY(MILLRACE_FAULT_POINT("store.after_draft_publish"));
    finish(draft, info.version);
    co_return info;
}

Result<void> Drafts::discard(const DraftName& name) {
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY_ASSIGN(const auto draft, find(name));
    if (draft->published_version != 0) return fail(Code::conflict, "'" + name.id + "' was published already; delete the object instead");
    if (draft->publishing) return fail(Code::conflict, "'" + name.id + "' is being published just now");
    return remove(draft);
}

void Drafts::expire(std::int64_t now_ns) {
    if (const auto saved = clock_->save(); !saved) log::warn("the node's clock could not be written down", {{"error", saved.error()}});
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Draft>> over;
    for (const auto& [id, draft] : drafts_) {
        if (draft->users == 0 && is_over(*draft, now_ns)) over.push_back(draft);
    }
    for (const auto& draft : over) {
        const auto removed = remove(draft);
        if (!removed) log::warn("unpublished object stays although its time is over", {{"draft", draft->name.id}, {"error", removed.error()}});
    }
    if (!over.empty()) log::info("unpublished objects expired", {{"count", over.size()}});
}

void Drafts::note_answered(const DraftName& name) {
    const std::lock_guard lock(mutex_);
    if (const auto draft = find(name)) (*draft)->answered = true;
}

bool Drafts::is_answered(const DraftName& name) const {
    const std::lock_guard lock(mutex_);
    const auto draft = find(name);
    return draft && (*draft)->answered;
}

bool Drafts::is_publishing(const DraftName& name) const {
    const std::lock_guard lock(mutex_);
    const auto draft = find(name);
    return draft && (*draft)->publishing;
}

std::size_t Drafts::size() const {
    const std::lock_guard lock(mutex_);
    return drafts_.size();
}

// --- The table; the lock is held ---

Result<std::shared_ptr<Drafts::Draft>> Drafts::find(const DraftName& name) const {
    const auto found = drafts_.find(name.id);
    if (found == drafts_.end()) return unknown(name.id);
    const Draft& draft = *found->second;
    const auto bucket = buckets_.find(name.bucket);
    if (!bucket || (*bucket)->record().generation != draft.generation || draft.name.object != name.object) return unknown(name.id);
    return found->second;
}

bool Drafts::is_over(const Draft& draft, std::int64_t now_ns) const {
    const auto lifetime_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(limits_.lifetime).count();
    return now_ns - draft.touched_ns > lifetime_ns || !buckets_.find_generation(draft.generation);
}

// Published ones are kept for the sake of repeated requests only.
Result<void> Drafts::make_room() {
    if (drafts_.size() < limits_.drafts_max) return {};
    std::shared_ptr<Draft> oldest;
    for (const auto& [id, draft] : drafts_) {
        if (draft->published_version == 0 || draft->users > 0) continue;
        if (!oldest || draft->touched_ns < oldest->touched_ns) oldest = draft;
    }
    if (oldest) return remove(oldest);
    return fail(Code::overloaded, "this target has " + std::to_string(limits_.drafts_max) +
        " objects that are appended to or uploaded in parts; complete or abort some, then try again");
}

Result<void> Drafts::save(const Draft& draft) {
    state::Batch batch;
    batch.put(family::meta, draft_key(draft.name.id), encode(DraftRecord{draft.name.bucket, draft.generation, draft.name.object, draft.touched_ns,
                                                                  draft.mountpath, draft.published_version}));
    return kv_.write(std::move(batch), false);
}

Result<void> Drafts::save_piece(const Draft& draft, std::uint32_t number, bool sync) {
    if (draft.gone) return unknown(draft.name.id);
    const Piece& piece = draft.pieces.at(number);
    state::Batch batch;
    const std::string key = piece_key(draft.name.id, number);
    if (piece.recorded) batch.put(family::meta, key, encode(PieceRecord{piece.size, piece.checksum, piece.size_before, draft.touched_ns}));
    else batch.erase(family::meta, key);
    return kv_.write(std::move(batch), sync);
}

Result<void> Drafts::reserve(Draft& draft, std::uint32_t number, const PieceOptions& options) {
    if (draft.published_version != 0) return unknown(draft.name.id);
    const auto found = draft.pieces.find(number);
    if (draft.publishing || (found != draft.pieces.end() && found->second.busy)) {
        return fail(Code::unavailable, "another request works on part " + std::to_string(number) + " of '" + draft.name.id + "'; try again when it is over");
    }
    const std::uint64_t size = found == draft.pieces.end() ? 0 : found->second.size;
    const std::uint64_t size_before = found == draft.pieces.end() ? 0 : found->second.size_before;
    if (options.extend_at && *options.extend_at != size && *options.extend_at != size_before) {
        return fail(Code::conflict, "the handle stands for the first " + std::to_string(*options.extend_at) + " bytes of '" + draft.name.id +
            "', which has " + std::to_string(size) + " by now; append with the handle of the last answer");
    }
    if (found == draft.pieces.end()) {
        if (pieces_ >= limits_.pieces_max) {
            return fail(Code::overloaded, "this target has " + std::to_string(limits_.pieces_max) +
                " parts of unfinished uploads; complete or abort some, then try again");
        }
        ++pieces_;
    }
    draft.pieces[number].busy = true;
    ++draft.users;
    return {};
}

Result<void> Drafts::remove(const std::shared_ptr<Draft>& draft) {
    const std::string pieces = piece_key(draft->name.id, 0);
    const std::string prefix = pieces.substr(0, pieces.size() - 1);
    state::Batch batch;
    batch.erase(family::meta, draft_key(draft->name.id));
    batch.erase_range(family::meta, prefix, state::prefix_end(prefix));
    batch.use_reserve();
    MILLRACE_TRY(kv_.write(std::move(batch), false));
    draft->gone = true;
    pieces_ -= draft->pieces.size();
    drafts_.erase(draft->name.id);
    remove_folder(*draft);
    return {};
}

// --- Publishing ---

Result<std::unique_ptr<Drafts::Claim>> Drafts::claim(const DraftName& name, const std::vector<std::uint32_t>& numbers) {
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY_ASSIGN(auto draft, find(name));
    if (draft->published_version == 0) {
        if (draft->users > 0) return fail(Code::unavailable, "another request still writes to '" + name.id + "'; try again when it is over");
        MILLRACE_TRY(check_list(name.id, draft->pieces, numbers));
    }
    return std::make_unique<Claim>(*this, std::move(draft));
}

Result<ObjectInfo> Drafts::published_object(const Draft& draft) const {
    MILLRACE_TRY_ASSIGN(const auto bucket, buckets_.find_generation(draft.generation));
    MILLRACE_TRY_ASSIGN(auto record, index_.find(object_key(bucket->key(), draft.name.object)));
    if (!record) return unknown(draft.name.id);
    return std::move(record->info);
}

// The object is there whatever happens here: a draft that cannot be noted as published may be published once more.
void Drafts::finish(Draft& draft, std::uint64_t version) {
    const std::lock_guard lock(mutex_);
    draft.published_version = version;
    draft.touched_ns = clock_->now_ns();
    state::Batch batch;
    batch.put(family::meta, draft_key(draft.name.id), encode(DraftRecord{draft.name.bucket, draft.generation, draft.name.object, draft.touched_ns,
                                                                  draft.mountpath, version}));
    for (const auto& [number, piece] : draft.pieces) batch.erase(family::meta, piece_key(draft.name.id, number));
    batch.use_reserve();
    if (const auto written = kv_.write(std::move(batch), false); !written) {
        log::warn("note about a published object could not be written", {{"draft", draft.name.id}, {"error", written.error()}});
    }
    pieces_ -= draft.pieces.size();
    draft.pieces.clear();
    remove_folder(draft);
}

// --- Files ---

Result<std::string> Drafts::folder_of(const Draft& draft) const {
    const Mountpath* mountpath = mountpaths_.find(draft.mountpath);
    if (mountpath != nullptr) return mountpath->drafts_folder() + "/" + draft.name.id;
    return fail(Code::unavailable, "mountpath " + draft.mountpath + " is not among those configured; add its folder again");
}

void Drafts::remove_folder(const Draft& draft) const {
    const auto folder = folder_of(draft);
    if (!folder) return;
    remover_.remove(*folder);
}

// --- The start ---

Result<void> Drafts::load() {
    MILLRACE_TRY_ASSIGN(auto clock, state::NodeClock::open(kv_, family::meta, unix_now_ns()));
    clock_.emplace(std::move(clock));
    MILLRACE_TRY(load_drafts());
    MILLRACE_TRY(load_pieces());
    expire();
    return remove_unknown_files();
}

Result<void> Drafts::load_drafts() {
    state::Batch damaged;
    state::Cursor cursor = kv_.cursor(family::meta, state::prefix_end(kDraftPrefix));
    for (cursor.seek(kDraftPrefix); cursor.valid(); cursor.next()) {
        const std::string id(cursor.key().substr(kDraftPrefix.size()));
        auto record = decode_draft(cursor.value(), "unpublished object '" + id + "'");
        if (!record) {
            log::warn("damaged record gets removed", {{"error", record.error()}});
            damaged.erase(family::meta, cursor.key());
            continue;
        }
        auto draft = std::make_shared<Draft>();
        draft->name = {id, std::move(record->bucket), std::move(record->object)};
        draft->generation = record->generation;
        draft->mountpath = std::move(record->mountpath);
        draft->touched_ns = record->created_unix_ns;
        draft->published_version = record->published_version;
        drafts_.emplace(id, std::move(draft));
    }
    MILLRACE_TRY(cursor.status());
    if (damaged.empty()) return {};
    return kv_.write(std::move(damaged), false);
}

Result<void> Drafts::load_pieces() {
    state::Batch useless;
    state::Cursor cursor = kv_.cursor(family::meta, state::prefix_end(kPiecePrefix));
    for (cursor.seek(kPiecePrefix); cursor.valid(); cursor.next()) {
        const std::string_view rest = cursor.key().substr(kPiecePrefix.size());
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        const auto draft = drafts_.find(std::string(rest.substr(0, slash)));
        const auto number = parse_number(rest.substr(std::min(slash + 1, rest.size())));
        auto record = decode_piece(cursor.value(), "part '" + std::string(rest) + "' of an unpublished object");
        if (!record) log::warn("damaged record gets removed", {{"error", record.error()}});
        if (draft == drafts_.end() || !number || !record) {
            useless.erase(family::meta, cursor.key());
            continue;
        }
        draft->second->pieces[*number] = Piece{.recorded = true, .size = record->size, .checksum = record->checksum, .size_before = record->size_before};
        draft->second->touched_ns = std::max(draft->second->touched_ns, record->written_unix_ns);
        ++pieces_;
    }
    MILLRACE_TRY(cursor.status());
    if (useless.empty()) return {};
    return kv_.write(std::move(useless), false);
}

Result<void> Drafts::remove_unknown_files() const {
    for (const Mountpath& mountpath : mountpaths_.all()) {
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(mountpath.drafts_folder(), error)) {
            const auto draft = drafts_.find(entry.path().filename().string());
            const bool is_known = draft != drafts_.end() && draft->second->mountpath == mountpath.id && draft->second->published_version == 0;
            if (is_known) {
                MILLRACE_TRY(remove_unknown_pieces(entry.path().string(), *draft->second));
                continue;
            }
            remover_.remove(entry.path().string());
        }
        if (error) return file_error("read the folder " + mountpath.drafts_folder(), error.value());
    }
    return {};
}

Result<void> Drafts::remove_unknown_pieces(const std::string& folder, const Draft& draft) const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const auto number = parse_number(entry.path().filename().string());
        if (number && draft.pieces.contains(*number)) continue;
        std::error_code failure;
        fs::remove_all(entry.path(), failure);
        if (failure) return file_error("remove the leftover " + entry.path().string(), failure.value());
    }
    if (error) return file_error("read the folder " + folder, error.value());
    return {};
}

}  // namespace millrace::store
