// The walk along the chain. Where it breaks, what follows says what was done.
#include "observe/verify.hpp"

#include <unordered_map>

#include "observe/log.hpp"

namespace cellblock::observe {
namespace {

constexpr std::string_view kKey = ",\"key\":\"";
constexpr std::string_view kSignature = "\",\"signature\":\"";

std::string record_name(uint64_t seq) {
    return "record " + std::to_string(seq);
}

/// The members of a checkpoint, which are always the same two.
struct Checkpoint {
    std::string key;
    std::string_view signature;
    std::string message;
};
std::optional<Checkpoint> parse_checkpoint(const Record& record) {
    if (record.type != "checkpoint" || !record.hashed.ends_with('"')) return {};
    const size_t signature = record.hashed.rfind(kSignature);
    if (signature == std::string_view::npos) return {};
    const size_t key = record.hashed.rfind(kKey, signature);
    if (key == std::string_view::npos) return {};
    Checkpoint checkpoint;
    const size_t begin = key + kKey.size();
    checkpoint.key = std::string(record.hashed.substr(begin, signature - begin));
    checkpoint.signature = record.hashed.substr(signature + kSignature.size());
    checkpoint.signature.remove_suffix(1);
    checkpoint.message = signed_message(record.hashed.substr(0, signature + 1));
    return checkpoint;
}

/// Lines that are no records, between two that are.
class Damage {
  public:
    void add(const Reader::Line& line) {
        if (feed_) sha_.add("\n");
        sha_.add(line.text);
        bytes_ += line.text.size() + (feed_ ? 1 : 0);
        feed_ = line.whole;
        any_whole_ = any_whole_ || line.whole;
        // A record that was never finished does not end like one.
        torn_ = torn_ && !line.text.ends_with("\"}");
    }
    [[nodiscard]] bool torn() const { return torn_; }
    /// It is one line, which has no end yet.
    [[nodiscard]] bool unfinished() const { return torn_ && !any_whole_; }
    [[nodiscard]] uint64_t bytes() const { return bytes_; }
    /// What a record of type `recovered` says about it.
    std::string members() {
        return ",\"damaged_bytes\":" + std::to_string(bytes_) + ",\"damaged_sha256\":\"" +
               to_hex(sha_.finish()) + "\"";
    }

  private:
    Sha256 sha_;
    uint64_t bytes_ = 0;
    bool feed_ = false;
    bool torn_ = true;
    bool any_whole_ = false;
};

class Walk {
  public:
    Walk(Reader& reader, const VerifyOptions& options) : reader_(reader), options_(options) {}

    Result<VerifyReport> run() {
        TRY(read_kept_checkpoints());
        Reader::Line line;
        while (!report_.finding && TRY(reader_.next(line))) TRY(take(line));
        report_.segments = reader_.segments();
        report_.bytes = reader_.bytes();
        if (!report_.finding) report_.unfinished_bytes += reader_.unfinished().size();
        if (!report_.finding) compare_with_kept();
        return std::move(report_);
    }

  private:
    [[nodiscard]] uint64_t expected() const { return report_.last.seq + 1; }
    [[nodiscard]] bool follows(const Record& record) const {
        if (report_.records == 0 && options_.begins_anywhere) return true;
        return record.seq == expected() && record.prev == report_.last.hash;
    }
    void found(Wrong wrong, uint64_t seq, std::string what) {
        report_.finding = Finding{wrong, seq, place_, std::move(what)};
    }

    Result<void> take(const Reader::Line& line) {
        const auto record = line.whole ? parse_intact(line.text) : std::nullopt;
        if (record && follows(*record)) {
            accept(*record);
            return {};
        }
        place_ = reader_.place();
        // The views of `record` end with the next line that is read.
        return record ? out_of_place(record->position()) : no_record(line);
    }

    void accept(const Record& record) {
        if (report_.records++ == 0) report_.first_time = record.time;
        report_.last = record.position();
        report_.last_time = record.time;
        if (const auto kept = kept_.find(record.seq); kept != kept_.end() && kept->second != record.hash) {
            place_ = reader_.place();
            return found(Wrong::rewritten, report_.signed_up_to + 1,
                         record_name(record.seq) + " is not the one that a checkpoint kept elsewhere signed" +
                             not_vouched_for());
        }
        if (record.type == "checkpoint") check_signature(record);
    }

    [[nodiscard]] std::string not_vouched_for() const {
        return ": nothing vouches for what follows record " + std::to_string(report_.signed_up_to);
    }

    void check_signature(const Record& record) {
        const auto checkpoint = parse_checkpoint(record);
        if (checkpoint && !options_.keys) {
            ++report_.unchecked;
            return;
        }
        if (checkpoint &&
            options_.keys->verify(checkpoint->key, checkpoint->message, checkpoint->signature)) {
            ++report_.checkpoints;
            report_.signed_up_to = record.seq;
            return;
        }
        place_ = reader_.place();
        const bool unknown = checkpoint && !options_.keys->knows(checkpoint->key);
        found(Wrong::rewritten, report_.signed_up_to + 1,
              "the checkpoint " + record_name(record.seq) +
                  (unknown ? " is signed with a key that is not among the trusted ones"
                           : " has no valid signature") +
                  not_vouched_for());
    }

    // A line that is no record: a torn write that the next record speaks of, or somebody's work.
    Result<void> no_record(Reader::Line line) {
        Damage damage;
        do {
            damage.add(line);
            if (!TRY(reader_.next(line))) {
                if (damage.unfinished())
                    report_.unfinished_bytes = damage.bytes();
                else
                    found(Wrong::edited, expected(),
                          record_name(expected()) + " is not what was written, and nothing follows it");
                return {};
            }
            const auto record = line.whole ? parse_intact(line.text) : std::nullopt;
            if (!record) continue;
            judge(*record, damage);
            return {};
        } while (true);
    }

    void judge(const Record& record, Damage& damage) {
        const bool spoken_of =
            record.type == "recovered" && record.hashed.find(damage.members()) != std::string_view::npos;
        if (follows(record) && spoken_of && damage.torn()) {
            ++report_.torn;
            return accept(record);
        }
        if (follows(record) && !spoken_of)
            return found(
                Wrong::inserted, expected(),
                "what stands before " + record_name(expected()) + " is no record and does not belong there");
        found(Wrong::edited, expected(), record_name(expected()) + " is not what was written");
    }

    // A record that is whole in itself, but not the one that comes next.
    Result<void> out_of_place(Position here) {
        if (here.seq > expected()) {
            const uint64_t wanted = expected();
            const bool later = TRY(is_later(wanted));
            if (later)
                found(Wrong::reordered, wanted,
                      record_name(wanted) + " stands later in the log; " + record_name(here.seq) +
                          " stands in its place");
            else
                found(Wrong::deleted, wanted,
                      here.seq - 1 == wanted ? record_name(wanted) + " is missing"
                                             : "records " + std::to_string(wanted) + " to " +
                                                   std::to_string(here.seq - 1) + " are missing");
            return {};
        }
        if (here.seq < expected()) {
            found(Wrong::inserted, here.seq,
                  record_name(here.seq) + " stands a second time, before " + record_name(expected()));
            return {};
        }
        // The right number, but chained to another record before it: the next one tells which of the two is
        // wrong.
        Reader::Line line;
        std::optional<Record> next;
        if (TRY(reader_.next(line)) && line.whole) next = parse_intact(line.text);
        if (next && follows(*next))
            found(Wrong::inserted, here.seq,
                  "a record with the number " + std::to_string(here.seq) + " was put before the real one");
        else if (next && next->seq == here.seq + 1 && next->prev == here.hash && report_.records > 0)
            found(Wrong::edited, here.seq - 1,
                  record_name(here.seq - 1) + " is not the one that " + record_name(here.seq) +
                      " was chained to");
        else
            found(Wrong::edited, here.seq, record_name(here.seq) + " is not chained to the record before it");
        return {};
    }

    Result<bool> is_later(uint64_t seq) {
        Reader::Line line;
        while (TRY(reader_.next(line))) {
            const auto record = line.whole ? parse_intact(line.text) : std::nullopt;
            if (record && record->seq == seq) return true;
        }
        return false;
    }

    Result<void> read_kept_checkpoints() {
        for (const std::string& text : options_.kept_checkpoints) {
            std::string_view line = text;
            while (line.ends_with('\n')) line.remove_suffix(1);
            const auto record = parse_intact(line);
            const auto checkpoint = record ? parse_checkpoint(*record) : std::nullopt;
            if (!checkpoint)
                return Error("read a checkpoint: it is no line of type checkpoint of an audit log");
            if (options_.keys &&
                !options_.keys->verify(checkpoint->key, checkpoint->message, checkpoint->signature))
                return Error("check the checkpoint " + record_name(record->seq) +
                             ": its signature is not valid, or its key is not known");
            kept_[record->seq] = record->hash;
            last_kept_ = std::max(last_kept_, record->seq);
        }
        return {};
    }

    void compare_with_kept() {
        if (last_kept_ <= report_.last.seq) {
            if (last_kept_ > report_.signed_up_to) report_.signed_up_to = last_kept_;
            return;
        }
        found(Wrong::truncated, expected(),
              "the log ends with " +
                  (report_.records == 0 ? std::string("no record") : record_name(report_.last.seq)) +
                  ", but " + record_name(last_kept_) + " was signed");
    }

    Reader& reader_;
    const VerifyOptions& options_;
    VerifyReport report_;
    Place place_;
    std::unordered_map<uint64_t, Hash> kept_;
    uint64_t last_kept_ = 0;
};

}  // namespace

std::string_view to_text(Wrong wrong) {
    switch (wrong) {
        case Wrong::edited:
            return "edited";
        case Wrong::deleted:
            return "deleted";
        case Wrong::inserted:
            return "inserted";
        case Wrong::reordered:
            return "reordered";
        case Wrong::truncated:
            return "truncated";
        case Wrong::rewritten:
            return "rewritten";
    }
    return "";
}

Result<VerifyReport> verify(const std::string& directory, const VerifyOptions& options) {
    Reader reader = TRY(Reader::open(directory));
    return Walk(reader, options).run();
}

}  // namespace cellblock::observe
