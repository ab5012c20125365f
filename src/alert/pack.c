#include "alert/pack.h"

#include "base/mem.h"

struct data_labels alert__pack(const struct data_label *items, size_t count)
{
    size_t bytes = count * sizeof(struct data_label) + 1;
    for (size_t i = 0; i < count; i++)
        bytes += items[i].name.len + items[i].value.len;
    struct data_label *out = mem_alloc(bytes);
    char *at = (char *)(out + count);
    for (size_t i = 0; i < count; i++) {
        struct slice parts[2] = {items[i].name, items[i].value};
        for (int k = 0; k < 2; k++) {
            if (parts[k].len)
                memcpy(at, parts[k].ptr, parts[k].len);
            parts[k].ptr = at;
            at += parts[k].len;
        }
        out[i] = (struct data_label){parts[0], parts[1]};
    }
    return (struct data_labels){out, count};
}

void alert__unpack(struct data_labels *l)
{
    mem_free((struct data_label *)(uintptr_t)l->items);
    *l = (struct data_labels){0};
}
