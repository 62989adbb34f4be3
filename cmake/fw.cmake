# How every target of the project is compiled, and what a module is: one folder, one static library,
# its dependencies named once.

add_library(fw_flags INTERFACE)
target_include_directories(fw_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_definitions(fw_flags INTERFACE _GNU_SOURCE FW_VERSION="${PROJECT_VERSION}")
target_compile_options(fw_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -fno-common -Wno-format-truncation
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  $<$<BOOL:${FW_WERROR}>:-Werror>)
if(FW_SANITIZE)
  target_compile_options(fw_flags INTERFACE -fsanitize=${FW_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(fw_flags INTERFACE -fsanitize=${FW_SANITIZE})
endif()

# fw_module(NAME DIR dir DEPS targets...)
function(fw_module name)
  cmake_parse_arguments(M "" "DIR" "DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${M_DIR}/*.c ${M_DIR}/*.cc)
  if(NOT sources)
    add_library(fw_${name} INTERFACE)
    target_link_libraries(fw_${name} INTERFACE fw_flags ${M_DEPS})
    return()
  endif()
  add_library(fw_${name} STATIC ${sources})
  target_link_libraries(fw_${name} PUBLIC fw_flags ${M_DEPS})
endfunction()
