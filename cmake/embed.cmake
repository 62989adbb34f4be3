# Embeds a file in the program as a C byte array.
#
#   fw_embed(TARGET SYMBOL FILE)   adds a generated source to TARGET that defines
#                                  `const unsigned char SYMBOL[]` (NUL-terminated) and
#                                  `const size_t SYMBOL_len`.
#
# The file also runs as a script (cmake -DIN= -DOUT= -DSYMBOL= -P embed.cmake), which does the work
# at build time.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${IN} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
         "\\1\n" bytes "${bytes}")
  get_filename_component(name ${IN} NAME)
  file(WRITE ${OUT}.tmp "/* Made from ${name} by cmake/embed.cmake. */\n#include <stddef.h>\n"
       "extern const unsigned char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_len;\n"
       "const unsigned char ${SYMBOL}[] = {\n${bytes}0};\n"
       "const size_t ${SYMBOL}_len = sizeof ${SYMBOL} - 1;\n")
  file(RENAME ${OUT}.tmp ${OUT})
  return()
endif()

set(FW_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(fw_embed target symbol file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embed/${symbol}.c)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/embed)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol} -P ${FW_EMBED_SCRIPT}
    DEPENDS ${file} ${FW_EMBED_SCRIPT} COMMENT "Embedding ${symbol}" VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
