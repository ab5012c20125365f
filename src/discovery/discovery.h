/* Discovery at work: target groups of static lists, files, HTTP answers and DNS records, kept up to
 * date on a loop. What fails leaves what was found before in force.
 *
 * All functions on the loop's thread, but discovery_each and discovery_error: any. */
#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include "discovery/config.h"
#include "net/loop.h"

struct discovery;

struct discovery_env {
    struct os *os;
    struct net_loop *loop;
    struct net_client *client;
    const char *version; /* for User-Agent; may be NULL */
    bool manual;         /* no timers: only discovery_refresh looks */
    void *ctx;
    void (*changed)(void *ctx);                    /* the groups are others now */
    void (*begun)(void *ctx), (*ended)(void *ctx); /* asking over the network; may be NULL */
};

/* The configuration must live as long. */
struct discovery *discovery_new(const struct discovery_config *config,
                                const struct discovery_env *env);
/* `changed` is not called any more, `ended` may be once more for what was on its way. NULL is fine.
 */
void discovery_free(struct discovery *d);
/* What `old` knows of the places that both ask over the network stays known. NULL is fine. */
void discovery_inherit(struct discovery *d, struct discovery *old);
/* Looks at the files (now) and asks servers (later); `changed` is called for files when `tell`. */
void discovery_refresh(struct discovery *d, bool tell);
/* Starts the timers. */
void discovery_start(struct discovery *d);

void discovery_each(struct discovery *d, void (*each)(void *arg, const struct discovery_group *g),
                    void *arg);
/* Copies the words of what fails at the moment; "" when nothing does. */
void discovery_error(struct discovery *d, char *out, size_t out_size);

#endif
