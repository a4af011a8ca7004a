# cmake -DINPUT=file -DOUTPUT=file.cpp -DSYMBOL=name -P EmbedFile.cmake
# Writes the bytes of a file as an llvm::StringRef function attn::package::SYMBOL().
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"codegen/package/Embedded.h\"

static const unsigned char bytes[] = {
${bytes}};

llvm::StringRef attn::package::${SYMBOL}() {
  return {reinterpret_cast<const char *>(bytes), sizeof(bytes)};
}
")
