/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls a compiled model from plain C: for programs that cross compilers make,
   where attnc itself does not run.

       run-model MODEL.weights INPUTS.safetensors OUTPUTS.safetensors

   Compiled with -DMODEL=prefix and linked with the model's archive. The reader
   takes the safetensors files of the golden cases, no others: compact JSON
   without escapes, data in the machine's byte order. */

#include "attn/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define PROGRAM PASTE(MODEL, _program)
const attn_program *PROGRAM(void);

enum { MAX_TENSORS = 16, MAX_NAME = 100 };

static void require(int holds, const char *what, const char *where) {
  if (holds)
    return;
  fprintf(stderr, "run-model: %s: %s\n", where, what);
  exit(1);
}

/* The whole file, with a 0 after it. */
static char *read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  require(file != NULL, "cannot open", path);
  require(fseek(file, 0, SEEK_END) == 0, "cannot seek", path);
  long bytes = ftell(file);
  require(bytes >= 8, "is too short", path);
  rewind(file);
  char *text = malloc((size_t)bytes + 1);
  require(text && fread(text, 1, (size_t)bytes, file) == (size_t)bytes,
          "cannot read", path);
  text[bytes] = 0;
  fclose(file);
  return text;
}

/* The data of the tensor; its dynamic dimensions are stored in `dims`. */
static const void *find_tensor(const char *file, const attn_tensor_info *info,
                               int64_t *dims) {
  uint64_t header_bytes;
  memcpy(&header_bytes, file, sizeof(header_bytes));
  char key[MAX_NAME + 40];
  snprintf(key, sizeof(key), "\"%.*s\":{\"dtype\":\"%s\",\"shape\":[", MAX_NAME,
           info->name, info->dtype == ATTN_I64 ? "I64" : "F32");
  const char *place = strstr(file + 8, key);
  require(place != NULL, "is not in the file with this type", info->name);
  place += strlen(key);
  for (int32_t i = 0; i < info->rank; ++i) {
    char *end;
    int64_t size = strtoll(place, &end, 10);
    if (info->shape[i] < 0)
      dims[-1 - info->shape[i]] = size;
    else
      require(size == info->shape[i], "has another shape", info->name);
    require(*end == (i + 1 < info->rank ? ',' : ']'), "has another rank",
            info->name);
    place = end + 1;
  }
  static const char offsets[] = ",\"data_offsets\":[";
  require(strncmp(place, offsets, sizeof(offsets) - 1) == 0,
          "has no data_offsets", info->name);
  return file + 8 + header_bytes +
         strtoull(place + sizeof(offsets) - 1, NULL, 10);
}

static size_t tensor_bytes(const attn_tensor_info *info, const int64_t *dims) {
  size_t bytes = info->dtype == ATTN_I64 ? 8 : 4;
  for (int32_t i = 0; i < info->rank; ++i)
    bytes *= (size_t)(info->shape[i] < 0 ? dims[-1 - info->shape[i]]
                                         : info->shape[i]);
  return bytes;
}

static void write_outputs(const char *path, const attn_program *program,
                          const int64_t *dims, void *const *outputs) {
  char header[4096] = "{";
  size_t end = 0, length = 1;
  for (uint32_t i = 0; i < program->output_count; ++i) {
    const attn_tensor_info *info = &program->outputs[i];
    length += (size_t)snprintf(header + length, sizeof(header) - length,
                               "%s\"%.*s\":{\"dtype\":\"%s\",\"shape\":[",
                               i ? "," : "", MAX_NAME, info->name,
                               info->dtype == ATTN_I64 ? "I64" : "F32");
    for (int32_t d = 0; d < info->rank; ++d)
      length += (size_t)snprintf(
          header + length, sizeof(header) - length, "%s%lld", d ? "," : "",
          (long long)(info->shape[d] < 0 ? dims[-1 - info->shape[d]]
                                         : info->shape[d]));
    size_t begin = end;
    end += tensor_bytes(info, dims);
    length += (size_t)snprintf(header + length, sizeof(header) - length,
                               "],\"data_offsets\":[%zu,%zu]}", begin, end);
  }
  header[length++] = '}';
  FILE *file = fopen(path, "wb");
  require(file != NULL, "cannot create", path);
  uint64_t header_bytes = length;
  fwrite(&header_bytes, sizeof(header_bytes), 1, file);
  fwrite(header, 1, length, file);
  for (uint32_t i = 0; i < program->output_count; ++i)
    fwrite(outputs[i], 1, tensor_bytes(&program->outputs[i], dims), file);
  require(!ferror(file) && fclose(file) == 0, "cannot write", path);
}

int main(int argc, char **argv) {
  require(argc == 4, "expects WEIGHTS INPUTS OUTPUTS", "arguments");
  const attn_program *program = PROGRAM();
  require(program->input_count <= MAX_TENSORS &&
              program->output_count <= MAX_TENSORS &&
              program->dim_count <= MAX_TENSORS,
          "has too many tensors", program->name);
  char *file = read_file(argv[2]);
  int64_t dims[MAX_TENSORS] = {0};
  const void *inputs[MAX_TENSORS];
  for (uint32_t i = 0; i < program->input_count; ++i)
    inputs[i] = find_tensor(file, &program->inputs[i], dims);
  void *outputs[MAX_TENSORS];
  for (uint32_t i = 0; i < program->output_count; ++i) {
    outputs[i] = malloc(tensor_bytes(&program->outputs[i], dims));
    require(outputs[i] != NULL, "is too large", program->outputs[i].name);
  }

  attn_model *model;
  attn_error error;
  if (program->functions->open(program, argv[1], NULL, &model, &error) ||
      program->functions->call(model, NULL, dims, inputs, outputs, &error))
    require(0, error.message, program->name);
  printf("%s on %s\n", program->name, program->functions->isa(model));
  write_outputs(argv[3], program, dims, outputs);
  program->functions->close(model);
  for (uint32_t i = 0; i < program->output_count; ++i)
    free(outputs[i]);
  free(file);
  return 0;
}
