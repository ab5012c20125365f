#include "input/input.h"

#define INPUT(name) extern const struct input_def input_def_##name;
#include "input/inputs.def"
#undef INPUT

const struct input_def *const input_defs[] = {
#define INPUT(name) &input_def_##name,
#include "input/inputs.def"
#undef INPUT
};

const size_t input_def_count = ARRAY_LEN(input_defs);

const struct input_def *input_def_find(struct slice name)
{
    for (size_t i = 0; i < input_def_count; i++) {
        if (slice_eq_cstr(name, input_defs[i]->name))
            return input_defs[i];
    }
    return NULL;
}
