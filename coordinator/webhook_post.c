#include "coordinator/webhook_internal.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_S  10L
#define TOTAL_S    30L
#define ANSWER_MAX 65536u

void hook_sign(struct span secret, uint64_t seconds, struct span body, char *out)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_size = 0;
    struct buf text = BUF_INIT(HOOK_BODY_MAX + 64);
    struct err ignored = ERR_INIT;
    int used;

    (void)buf_format(&text, &ignored, "%" PRIu64 ".", seconds);
    (void)buf_append(&text, body.data, body.size, &ignored);
    (void)HMAC(EVP_sha256(), secret.data, (int)secret.size, text.data, text.size, mac, &mac_size);
    used = snprintf(out, HOOK_SIGNATURE_SIZE, "t=%" PRIu64 ",v1=", seconds);
    for (unsigned i = 0; i < mac_size; i++)
        used += snprintf(out + used, HOOK_SIGNATURE_SIZE - (size_t)used, "%02x", mac[i]);
    buf_release(&text);
}

/* The answer's body is of no interest, and an endless one is an error. */
static size_t throw_away(char *data, size_t one, size_t size, void *context)
{
    struct delivery *delivery = context;

    (void)data;
    (void)one;
    delivery->answered += size;
    return delivery->answered <= ANSWER_MAX ? size : 0;
}

static void set_headers(struct delivery *delivery, const struct clock_source *clock)
{
    char line[64], signature[HOOK_SIGNATURE_SIZE], header[HOOK_SIGNATURE_SIZE + 32];
    struct curl_slist *list = NULL;

    snprintf(line, sizeof line, "X-Thaw-Delivery: run-%" PRIu64, delivery->run);
    list = curl_slist_append(list, "Content-Type: application/json");
    list = curl_slist_append(list, "Expect:");
    list = curl_slist_append(list, line);
    if (delivery->secret.size != 0) {
        hook_sign(buf_span(&delivery->secret), clock_wall_ns(clock) / UINT64_C(1000000000),
                  buf_span(&delivery->body), signature);
        snprintf(header, sizeof header, "X-Thaw-Signature: %s", signature);
        list = curl_slist_append(list, header);
    }
    delivery->headers = list;
    curl_easy_setopt(delivery->easy, CURLOPT_HTTPHEADER, list);
}

bool post_start(struct delivery *delivery, CURLM *multi, const struct clock_source *clock,
                struct err *err)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        return err_set(err, ERR_NO_MEMORY, "libcurl has no memory");
    delivery->easy = easy;
    delivery->answered = 0;
    set_headers(delivery, clock);
    curl_easy_setopt(easy, CURLOPT_URL, delivery->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)delivery->body.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)delivery->body.size);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "thaw/" THAW_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, TOTAL_S);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, throw_away);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, delivery);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, delivery);
    if (curl_multi_add_handle(multi, easy) == CURLM_OK)
        return true;
    curl_easy_cleanup(easy);
    curl_slist_free_all(delivery->headers);
    delivery->easy = NULL;
    delivery->headers = NULL;
    return err_set(err, ERR_IO, "libcurl takes no request");
}

static bool may_pass(long status)
{
    return status >= 500 || status == 408 || status == 429;
}

bool post_ended(struct delivery *delivery, CURLM *multi, CURLcode code)
{
    struct hook_half *half = &delivery->post;
    long status = 0;

    curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &status);
    half->status = status != 0 ? (int32_t)status : -1;
    half->is_delivered = code == CURLE_OK && status >= 200 && status < 300;
    half->error[0] = 0;
    if (code != CURLE_OK)
        snprintf(half->error, sizeof half->error, "%s", curl_easy_strerror(code));
    else if (!half->is_delivered)
        snprintf(half->error, sizeof half->error, "it answered %" PRId32, half->status);
    curl_multi_remove_handle(multi, delivery->easy);
    curl_easy_cleanup(delivery->easy);
    curl_slist_free_all(delivery->headers);
    delivery->easy = NULL;
    delivery->headers = NULL;
    return !half->is_delivered && (code != CURLE_OK || may_pass(status));
}
