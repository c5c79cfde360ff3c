// Ed25519 through Nettle, and the files that keys lie in.
#include "observe/key.hpp"

#include <fcntl.h>
#include <nettle/base64.h>
#include <nettle/eddsa.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/sys.hpp"
#include "observe/hash.hpp"

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrivateName = "/key.pem";
constexpr std::string_view kPublicSuffix = ".pub.pem";
constexpr size_t kMaxKeyFile = 4096;
constexpr size_t kIdDigits = 16;
/// Files that are looked at in a keys directory.
constexpr size_t kMaxKeys = 1000;

/// One kind of PEM file (RFC 7468). What stands before the key in DER is always the same (RFC 8410): it names
/// the algorithm and sizes, of which there is one.
struct Form {
    std::string_view label;
    std::span<const unsigned char> prefix;
};

constexpr std::array<unsigned char, 16> kPrivatePrefix{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::array<unsigned char, 12> kPublicPrefix{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr Form kPrivate{"PRIVATE KEY", kPrivatePrefix};
constexpr Form kPublic{"PUBLIC KEY", kPublicPrefix};
constexpr size_t kMaxDer = kPrivatePrefix.size() + sizeof(KeyBytes);
constexpr size_t kMaxBase64 = BASE64_ENCODE_RAW_LENGTH(kMaxDer);

std::string boundary(std::string_view which, const Form& form) {
    return "-----" + std::string(which) + " " + std::string(form.label) + "-----";
}

std::string to_pem(const Form& form, const KeyBytes& key) {
    std::array<unsigned char, kMaxDer> der;
    std::ranges::copy(form.prefix, der.begin());
    std::ranges::copy(key, der.begin() + static_cast<std::ptrdiff_t>(form.prefix.size()));
    const size_t size = form.prefix.size() + key.size();
    // Not longer than the one line of 64 characters that RFC 7468 wants lines to have.
    std::string text(BASE64_ENCODE_RAW_LENGTH(size), '\0');
    ::nettle_base64_encode_raw(text.data(), size, der.data());
    ::explicit_bzero(der.data(), der.size());
    return boundary("BEGIN", form) + "\n" + text + "\n" + boundary("END", form) + "\n";
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// Nothing when it is no Ed25519 key of this form, and nothing else.
std::optional<KeyBytes> from_pem(const Form& form, std::string_view pem) {
    pem = trimmed(pem);
    const std::string begin = boundary("BEGIN", form);
    const std::string end = boundary("END", form);
    if (!pem.starts_with(begin) || !pem.ends_with(end) || pem.size() < begin.size() + end.size()) return {};
    pem.remove_prefix(begin.size());
    pem.remove_suffix(end.size());
    if (pem.size() > 2 * kMaxBase64) return {};
    std::array<unsigned char, BASE64_DECODE_LENGTH(2 * kMaxBase64)> der;
    size_t size = der.size();
    base64_decode_ctx context;
    ::nettle_base64_decode_init(&context);
    KeyBytes key;
    // White space in it is passed over.
    const bool is_whole =
        ::nettle_base64_decode_update(&context, &size, der.data(), pem.size(), pem.data()) == 1 &&
        ::nettle_base64_decode_final(&context) == 1 && size == form.prefix.size() + key.size() &&
        std::memcmp(der.data(), form.prefix.data(), form.prefix.size()) == 0;
    if (is_whole) std::memcpy(key.data(), der.data() + form.prefix.size(), key.size());
    ::explicit_bzero(der.data(), der.size());
    if (!is_whole) return {};
    return key;
}

std::string id_of(const KeyBytes& public_key) {
    const std::string_view bytes(reinterpret_cast<const char*>(public_key.data()), public_key.size());
    return to_hex(Sha256::of(bytes)).substr(0, kIdDigits);
}

Result<void> write_new(const std::string& path, const std::string& text, mode_t mode) {
    // A temporary name and a rename: a key is there as a whole or not at all.
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str());
    {
        const UniqueFd file = TRY(sys::open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
        TRY(sys::write_all(file.get(), text));
        if (::fsync(file.get()) != 0) return errno_error("write " + temporary);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return errno_error("rename " + temporary);
    return {};
}

}  // namespace

SigningKey::SigningKey(const KeyBytes& secret) : secret_(secret) {
    ::nettle_ed25519_sha512_public_key(public_.data(), secret_.data());
    id_ = id_of(public_);
}

SigningKey::~SigningKey() {
    ::explicit_bzero(secret_.data(), secret_.size());
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : secret_(other.secret_), public_(other.public_), id_(std::move(other.id_)) {
    ::explicit_bzero(other.secret_.data(), other.secret_.size());
}

SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
    std::swap(secret_, other.secret_);
    std::swap(public_, other.public_);
    std::swap(id_, other.id_);
    return *this;
}

Result<SigningKey> SigningKey::create(const std::string& directory, bool replace) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) return Error("create " + directory, error.value());
    if (::chmod(directory.c_str(), 0700) != 0) return errno_error("make " + directory + " private");
    const std::string path = directory + kPrivateName;
    if (!replace && ::access(path.c_str(), F_OK) == 0)
        return Error("make a key: there is one in " + directory)
            .with_remedy("It goes on signing. To sign with a new one from now on, use --replace-key.");

    KeyBytes secret;
    // Not interrupted and never short for so few bytes (getrandom(2)).
    if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size()))
        return errno_error("ask for random bytes for a key");
    SigningKey key(secret);
    // The public part first: what is signed can be checked at any time.
    TRY(write_new(directory + "/" + key.id() + std::string(kPublicSuffix), to_pem(kPublic, key.public_),
                  0644));
    TRY(write_new(path, to_pem(kPrivate, secret), 0600));
    ::explicit_bzero(secret.data(), secret.size());
    return key;
}

Result<std::optional<SigningKey>> SigningKey::load(const std::string& directory) {
    const std::string path = directory + kPrivateName;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return std::optional<SigningKey>{};
        return errno_error("look at " + path);
    }
    if ((status.st_mode & 0077U) != 0)
        return Error("use the audit key " + path + ": others may read or write it")
            .with_remedy("chmod 600 " + path + ", or make a new one: cellblock audit init --replace-key");
    auto secret = from_pem(kPrivate, TRY(sys::read_file(path, kMaxKeyFile)));
    if (!secret)
        return Error("read the audit key " + path + ": it is no private Ed25519 key in PEM (PKCS #8)")
            .with_remedy("Make a new one: cellblock audit init --replace-key");
    std::optional<SigningKey> key = SigningKey(*secret);
    ::explicit_bzero(secret->data(), secret->size());
    return key;
}

std::string SigningKey::sign(std::string_view message) const {
    std::array<unsigned char, ED25519_SIGNATURE_SIZE> signature;
    ::nettle_ed25519_sha512_sign(public_.data(), secret_.data(), message.size(),
                                 reinterpret_cast<const uint8_t*>(message.data()), signature.data());
    return to_hex(signature);
}

Result<PublicKeys> PublicKeys::load(const std::string& directory) {
    PublicKeys keys;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string path = entry->path().string();
        if (path.ends_with(kPublicSuffix) && keys.keys_.size() < kMaxKeys) TRY(keys.add_file(path));
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return Error("read the audit keys in " + directory, error.value());
    return keys;
}

Result<void> PublicKeys::add_file(const std::string& path) {
    const auto key = from_pem(kPublic, TRY(sys::read_file(path, kMaxKeyFile)));
    if (!key) return Error("read " + path + ": it is no public Ed25519 key in PEM");
    keys_[id_of(*key)] = *key;
    return {};
}

bool PublicKeys::knows(const std::string& id) const {
    return keys_.contains(id);
}

bool PublicKeys::verify(const std::string& id, std::string_view message, std::string_view signature) const {
    const auto found = keys_.find(id);
    std::array<unsigned char, ED25519_SIGNATURE_SIZE> raw{};
    return found != keys_.end() && from_hex(signature, raw) &&
           ::nettle_ed25519_sha512_verify(found->second.data(), message.size(),
                                          reinterpret_cast<const uint8_t*>(message.data()), raw.data()) == 1;
}

}  // namespace cellblock::observe
