/* Temperatures, fans, voltages, power: /sys/class/hwmon, /sys/class/thermal,
 * /sys/class/power_supply (Documentation/hwmon/sysfs-interface.rst in the kernel). */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "input/host/host_priv.h"

/* Sensor types with their unit in the metric's name and what one raw step is worth. */
static const struct {
    const char *type, *unit;
    double scale;
} sensor_types[] = {
    {"temp", "celsius", 1e-3}, {"fan", "rpm", 1},          {"in", "volts", 1e-3},
    {"curr", "amps", 1e-3},    {"power", "watt", 1e-6},    {"energy", "joule_total", 1e-6},
    {"humidity", "", 1e-3},    {"freq", "freq_mhz", 1e-6},
};

/* Lower case, anything but [a-z0-9:_] becomes '_', none at the ends: node_exporter's rule. */
static void clean(char *out, size_t out_size, const char *s)
{
    size_t len = 0;
    for (; *s && len + 1 < out_size; s++) {
        int c = tolower((unsigned char)*s);
        out[len++] = (char)(isalnum(c) || c == ':' || c == '_' ? c : '_');
    }
    while (len && out[len - 1] == '_')
        len--;
    out[len] = '\0';
    size_t lead = strspn(out, "_");
    memmove(out, out + lead, len - lead + 1);
}

/* The last two parts of the path that hwmonN/device points to: "pci0000:00/0000:00:18.3" gives
 * "pci0000:00_0000:00:18_3"; without a device the chip's name. */
static void chip_name(struct host__ctx *ctx, const char *hwmon, char *out, size_t out_size)
{
    char link[PATH_MAX], real[PATH_MAX];
    snprintf(link, sizeof(link), "%s/class/hwmon/%s/device", ctx->config.sys_path, hwmon);
    if (realpath(link, real)) {
        char *device = strrchr(real, '/');
        char dev[128] = "", type[128] = "";
        if (device) {
            *device++ = '\0';
            char *parent = strrchr(real, '/');
            clean(dev, sizeof(dev), device);
            clean(type, sizeof(type), parent ? parent + 1 : real);
        }
        if (type[0] && dev[0]) {
            snprintf(out, out_size, "%s_%s", type, dev);
            return;
        }
        if (dev[0]) {
            snprintf(out, out_size, "%s", dev);
            return;
        }
    }
    char name[128];
    if (host__read_line(ctx, name, sizeof(name), ctx->config.sys_path, "/class/hwmon/%s/name",
                        hwmon))
        clean(out, out_size, name);
    else
        clean(out, out_size, hwmon);
}

struct sensor_ctx {
    const char *hwmon, *chip;
};

/* temp1_input, temp1_max, fan2_min, in0_label, temp1_crit_alarm, ... */
static void collect_sensor(struct host__ctx *ctx, const char *file, void *arg)
{
    static const struct host_metric label_metric =
        HOST_GAUGE("node_hwmon_sensor_label", "Label for given chip and sensor.");
    struct sensor_ctx *s = arg;
    size_t type_len = strspn(file, "abcdefghijklmnopqrstuvwxyz");
    size_t number_len = strspn(file + type_len, "0123456789");
    const char *property = file + type_len + number_len;
    if (!type_len || !number_len || *property != '_')
        return;
    property++;
    size_t kind = 0;
    while (kind < ARRAY_LEN(sensor_types) &&
           !slice_eq_cstr(slice_make(file, type_len), sensor_types[kind].type))
        kind++;
    if (kind == ARRAY_LEN(sensor_types))
        return;
    char sensor[64];
    host__text(sensor, sizeof(sensor), slice_make(file, type_len + number_len));
    const char *sys = ctx->config.sys_path;
    if (strcmp(property, "label") == 0) {
        char label[128];
        if (host__read_line(ctx, label, sizeof(label), sys, "/class/hwmon/%s/%s", s->hwmon, file))
            host__put(ctx, &label_metric, 1, "chip", s->chip, "label", label, "sensor", sensor,
                      NULL);
        return;
    }
    double raw;
    if (!host__read_number(ctx, &raw, sys, "/class/hwmon/%s/%s", s->hwmon, file))
        return;
    const char *unit = sensor_types[kind].unit;
    double scale = sensor_types[kind].scale;
    size_t property_len = strlen(property);
    if (property_len >= 5 && strcmp(property + property_len - 5, "alarm") == 0)
        scale = 1; /* a flag, though node_exporter leaves the unit in the name of a crit_alarm */
    bool is_input = strcmp(property, "input") == 0;
    char name[160];
    snprintf(name, sizeof(name), "node_hwmon_%s%s%s%s%s", sensor_types[kind].type,
             is_input ? "" : "_", is_input ? "" : property, unit[0] ? "_" : "", unit);
    host__put_named(ctx, name, DATA_METRIC_GAUGE, "Hardware monitor reading.", raw * scale, "chip",
                    s->chip, "sensor", sensor, NULL);
}

static void collect_chip(struct host__ctx *ctx, const char *hwmon, void *arg)
{
    static const struct host_metric names =
        HOST_GAUGE("node_hwmon_chip_names", "Annotation metric for human-readable chip names");
    (void)arg;
    char chip[300], human[128];
    chip_name(ctx, hwmon, chip, sizeof(chip));
    if (host__read_line(ctx, human, sizeof(human), ctx->config.sys_path, "/class/hwmon/%s/name",
                        hwmon))
        host__put(ctx, &names, 1, "chip", chip, "chip_name", human, NULL);
    struct sensor_ctx s = {hwmon, chip};
    host__each_entry(ctx, collect_sensor, &s, ctx->config.sys_path, "/class/hwmon/%s", hwmon);
}

static void collect_thermal(struct host__ctx *ctx, const char *entry, void *arg)
{
    static const struct host_metric zone = HOST_GAUGE("node_thermal_zone_temp",
                                                      "Zone temperature in Celsius"),
                                    current =
                                        HOST_GAUGE("node_cooling_device_cur_state",
                                                   "Current throttle state of the cooling device"),
                                    max =
                                        HOST_GAUGE("node_cooling_device_max_state",
                                                   "Maximum throttle state of the cooling device");
    (void)arg;
    const char *sys = ctx->config.sys_path;
    char type[64];
    double v;
    if (!host__read_line(ctx, type, sizeof(type), sys, "/class/thermal/%s/type", entry))
        return;
    if (strncmp(entry, "thermal_zone", 12) == 0) {
        if (host__read_number(ctx, &v, sys, "/class/thermal/%s/temp", entry))
            host__put(ctx, &zone, v / 1000, "type", type, "zone", entry + 12, NULL);
    } else if (strncmp(entry, "cooling_device", 14) == 0) {
        if (host__read_number(ctx, &v, sys, "/class/thermal/%s/cur_state", entry))
            host__put(ctx, &current, v, "name", entry + 14, "type", type, NULL);
        if (host__read_number(ctx, &v, sys, "/class/thermal/%s/max_state", entry))
            host__put(ctx, &max, v, "name", entry + 14, "type", type, NULL);
    }
}

static void collect_power(struct host__ctx *ctx, const char *supply, void *arg)
{
    static const struct {
        const char *file;
        double scale;
        struct host_metric metric;
    } files[] = {
        {"online", 1,
         HOST_GAUGE("node_power_supply_online",
                    "online value of /sys/class/power_supply/<power_supply>.")},
        {"present", 1,
         HOST_GAUGE("node_power_supply_present",
                    "present value of /sys/class/power_supply/<power_supply>.")},
        {"capacity", 1,
         HOST_GAUGE("node_power_supply_capacity",
                    "capacity value of /sys/class/power_supply/<power_supply>.")},
        {"power_now", 1e-6,
         HOST_GAUGE("node_power_supply_power_watt",
                    "power_watt value of /sys/class/power_supply/<power_supply>.")},
        {"voltage_now", 1e-6,
         HOST_GAUGE("node_power_supply_voltage_volt",
                    "voltage_volt value of /sys/class/power_supply/<power_supply>.")},
        {"energy_now", 3600e-6,
         HOST_GAUGE("node_power_supply_energy_joule",
                    "energy_joule value of /sys/class/power_supply/<power_supply>.")},
    };
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        double v;
        if (host__read_number(ctx, &v, ctx->config.sys_path, "/class/power_supply/%s/%s", supply,
                              files[i].file))
            host__put(ctx, &files[i].metric, v * files[i].scale, "power_supply", supply, NULL);
    }
}

void host__collect_sensors(struct host__ctx *ctx)
{
    host__each_entry(ctx, collect_chip, NULL, ctx->config.sys_path, "/class/hwmon");
    host__each_entry(ctx, collect_thermal, NULL, ctx->config.sys_path, "/class/thermal");
    host__each_entry(ctx, collect_power, NULL, ctx->config.sys_path, "/class/power_supply");
}
