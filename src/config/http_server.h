/*
 * What the configuration of a server behind a URL is made of: its address, the headers that go with each request, and
 * the proxies of the environment. Each reports what is wrong and returns NULL then.
 */
#ifndef SLUICE_CONFIG_HTTP_SERVER_H
#define SLUICE_CONFIG_HTTP_SERVER_H

#include "config/keys.h"

const char *http_url_read(struct reading *r, const struct json_node *value);

/* name, value, name, value, ..., NULL-terminated */
const char *const *http_headers_read(struct reading *r, const struct json_node *object);

void http_proxies_read(const struct reading *r, struct backend_conf *conf);

#endif
