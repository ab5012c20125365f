#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "server/serve.h"
#include "server/version.h"

static void log_door(void *arg, const struct api_door_status *d)
{
    (void)arg;
    if (d->state == API_DOOR_OPEN)
        LOG_INFO("server", "door open", LOG_STR("door", d->name), LOG_STR("listen", d->listen),
                 LOG_STR("speaks", d->speaks));
}

static void print_door(void *arg, const struct api_door_status *d)
{
    struct buf *planned = arg;
    if (d->state == API_DOOR_OPEN)
        printf("  %-12s %-22s %s\n", d->name, d->listen, d->speaks);
    else if (strcmp(d->detail, "not built yet") == 0)
        buf_printf(planned, "%s%s", planned->len ? ", " : "", d->name);
    else
        printf("  %-12s %-22s %s\n", d->name, d->state == API_DOOR_OFF ? "off" : "CLOSED",
               d->detail);
}

/* An address people can put into a browser. */
static void print_url(const struct server *s, enum server_door_id id, char *out, size_t size)
{
    const char *at = server_doors_address(s->doors, id);
    const char *scheme = server_doors_is_tls(s->doors, id) ? "https" : "http";
    if (strncmp(at, "0.0.0.0:", 8) == 0)
        snprintf(out, size, "%s://%s:%s", scheme, s->hostname, at + 8);
    else
        snprintf(out, size, "%s://%s", scheme, at);
}

void server_banner(struct server *s)
{
    char ui[400], write_to[420], otlp_to[420];
    print_url(s, SERVER_DOOR_MAIN, ui, sizeof(ui));
    if (server_doors_address(s->doors, SERVER_DOOR_PROMETHEUS))
        print_url(s, SERVER_DOOR_PROMETHEUS, write_to, sizeof(write_to));
    else
        snprintf(write_to, sizeof(write_to), "%s/prometheus", ui);
    if (server_doors_address(s->doors, SERVER_DOOR_OTLP))
        print_url(s, SERVER_DOOR_OTLP, otlp_to, sizeof(otlp_to));
    else
        snprintf(otlp_to, sizeof(otlp_to), "%s/otlp", ui);
    if (!isatty(STDOUT_FILENO)) {
        server_doors_each(s->doors, log_door, NULL);
        LOG_INFO("server", "ready", LOG_STR("ui", ui), LOG_STR("data", s->data_dir),
                 LOG_STR("version", SERVER_VERSION));
        return;
    }
    struct buf planned = {0};
    printf("\nPharos %s is running. Ctrl-C stops it.\n\n", SERVER_VERSION);
    printf("  The UI       %s\n", ui);
    printf("  Data in      %s\n\n", s->data_dir);
    printf("  Doors\n");
    server_doors_each(s->doors, print_door, &planned);
    if (planned.len)
        printf("  not built yet: %s\n", buf_cstr(&planned));
    printf("\n  To send data from Prometheus (or anything that remote-writes), put into its "
           "prometheus.yml:\n\n"
           "    remote_write:\n"
           "      - url: %s/api/v1/write\n\n"
           "  From any OpenTelemetry SDK or Collector: OTEL_EXPORTER_OTLP_ENDPOINT=%s\n\n"
           "  To ask:  pharos query --url %s 'up'\n\n",
           write_to, otlp_to, write_to);
    fflush(stdout);
    buf_deinit(&planned);
}
