// Ed25519 through OpenSSL's EVP interface, and the files that keys lie in.
#include "observe/key.hpp"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/sys.hpp"
#include "observe/hash.hpp"

namespace cellblock::observe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrivateName = "/key.pem";
constexpr std::string_view kPublicSuffix = ".pub.pem";
constexpr size_t kMaxKeyFile = 4096;
constexpr size_t kIdDigits = 16;
constexpr size_t kSignatureSize = 64;
constexpr size_t kPublicSize = 32;
/// Files that are looked at in a keys directory.
constexpr size_t kMaxKeys = 1000;

struct FreeKey {
    void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
};
using OwnedKey = std::unique_ptr<EVP_PKEY, FreeKey>;
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};
using OwnedContext = std::unique_ptr<EVP_MD_CTX, FreeContext>;
struct FreeBio {
    void operator()(BIO* bio) const { ::BIO_free(bio); }
};
using OwnedBio = std::unique_ptr<BIO, FreeBio>;

OwnedBio reader(const std::string& pem) {
    return OwnedBio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<std::string> id_of(EVP_PKEY* key) {
    std::array<unsigned char, kPublicSize> raw{};
    size_t size = raw.size();
    if (::EVP_PKEY_get_id(key) != EVP_PKEY_ED25519 ||
        ::EVP_PKEY_get_raw_public_key(key, raw.data(), &size) != 1)
        return Error("it is no Ed25519 key");
    const std::string_view bytes(reinterpret_cast<const char*>(raw.data()), size);
    return to_hex(Sha256().of(bytes)).substr(0, kIdDigits);
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<size_t>(size)};
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

struct SigningKey::Key {
    OwnedKey key;
};
struct PublicKeys::Key {
    OwnedKey key;
};

SigningKey::SigningKey(std::unique_ptr<Key> key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;

Result<SigningKey> SigningKey::create(const std::string& directory, bool replace) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) return Error("create " + directory, error.value());
    if (::chmod(directory.c_str(), 0700) != 0) return errno_error("make " + directory + " private");
    const std::string path = directory + kPrivateName;
    if (!replace && ::access(path.c_str(), F_OK) == 0)
        return Error("make a key: there is one in " + directory)
            .with_remedy("It goes on signing. To sign with a new one from now on, use --replace-key.");

    OwnedKey key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (!key) return Error("make an Ed25519 key: OpenSSL refuses");
    std::string id = TRY(id_of(key.get()));
    const OwnedBio secret(::BIO_new(BIO_s_secmem()));
    const OwnedBio open(::BIO_new(BIO_s_mem()));
    if (!secret || !open ||
        ::PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1 ||
        ::PEM_write_bio_PUBKEY(open.get(), key.get()) != 1)
        return Error("write the key as PEM: OpenSSL refuses");
    // The public part first: what is signed can be checked at any time.
    TRY(write_new(directory + "/" + id + std::string(kPublicSuffix), text_of(open.get()), 0644));
    TRY(write_new(path, text_of(secret.get()), 0600));
    auto owned = std::make_unique<Key>();
    owned->key = std::move(key);
    return SigningKey(std::move(owned), std::move(id));
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
    const std::string pem = TRY(sys::read_file(path, kMaxKeyFile));
    const OwnedBio bio = reader(pem);
    OwnedKey key(::PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key)
        return Error("read the audit key " + path + ": it is no private key in PEM")
            .with_remedy("Make a new one: cellblock audit init --replace-key");
    auto id = id_of(key.get());
    if (!id) return std::move(id).error().context("read the audit key " + path);
    auto owned = std::make_unique<Key>();
    owned->key = std::move(key);
    return std::optional<SigningKey>(SigningKey(std::move(owned), *std::move(id)));
}

Result<std::string> SigningKey::sign(std::string_view message) const {
    std::array<unsigned char, kSignatureSize> signature{};
    size_t size = signature.size();
    const OwnedContext context(::EVP_MD_CTX_new());
    if (!context || ::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->key.get()) != 1 ||
        ::EVP_DigestSign(context.get(), signature.data(), &size,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1)
        return Error("sign with Ed25519: OpenSSL refuses");
    return to_hex(signature);
}

PublicKeys::PublicKeys() = default;
PublicKeys::~PublicKeys() = default;
PublicKeys::PublicKeys(PublicKeys&&) noexcept = default;
PublicKeys& PublicKeys::operator=(PublicKeys&&) noexcept = default;

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
    const std::string pem = TRY(sys::read_file(path, kMaxKeyFile));
    const OwnedBio bio = reader(pem);
    OwnedKey key(::PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
    if (!key) return Error("read " + path + ": it is no public key in PEM");
    auto id = id_of(key.get());
    if (!id) return std::move(id).error().context("read " + path);
    auto owned = std::make_unique<Key>();
    owned->key = std::move(key);
    keys_[*std::move(id)] = std::move(owned);
    return {};
}

bool PublicKeys::knows(const std::string& id) const {
    return keys_.contains(id);
}

bool PublicKeys::verify(const std::string& id, std::string_view message, std::string_view signature) const {
    const auto found = keys_.find(id);
    std::array<unsigned char, kSignatureSize> raw{};
    if (found == keys_.end() || !from_hex(signature, raw)) return false;
    const OwnedContext context(::EVP_MD_CTX_new());
    return context &&
           ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, found->second->key.get()) == 1 &&
           ::EVP_DigestVerify(context.get(), raw.data(), raw.size(),
                              reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

}  // namespace cellblock::observe
