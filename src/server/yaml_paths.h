/* Paths in a part of a configuration that comes from another folder. */
#ifndef SERVER_YAML_PATHS_H
#define SERVER_YAML_PATHS_H

#include "text/yaml.h"

/* The node with relative paths put behind `dir` ("" or with a slash at its end): what stands under
 * keys that end in _file, and in lists under `files`. A copy in `arena` where it differs. */
const struct text_yaml *server_yaml_with_paths(const struct text_yaml *n, const char *dir,
                                               struct arena *arena);

#endif
