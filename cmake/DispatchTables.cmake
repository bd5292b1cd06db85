# SPDX-License-Identifier: LGPL-2.1-or-later

# dispatch_tables(<list>): generates introspection/<name>.h and .c in the build folder from each <interface>.xml
# given; <list> gets the sources.
function(dispatch_tables list)
        set(sources "")
        foreach(interface ${ARGN})
                # org.libvirt.ObjectManager -> object-manager
                string(REGEX REPLACE ".*\\." "" name ${interface})
                string(REGEX REPLACE "([A-Z]+)([A-Z][a-z])" "\\1-\\2" name ${name})
                string(REGEX REPLACE "([a-z0-9])([A-Z])" "\\1-\\2" name ${name})
                string(TOLOWER ${name} name)
                set(xml ${CMAKE_SOURCE_DIR}/introspection/${interface}.xml)
                set(output ${CMAKE_BINARY_DIR}/introspection/${name})
                add_custom_command(OUTPUT ${output}.h ${output}.c
                                   COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/introspection/generate.py
                                           ${xml} ${output}.h ${output}.c
                                   DEPENDS ${xml} ${CMAKE_SOURCE_DIR}/introspection/generate.py VERBATIM)
                list(APPEND sources ${output}.h ${output}.c)
        endforeach()
        set(${list} ${sources} PARENT_SCOPE)
endfunction()
