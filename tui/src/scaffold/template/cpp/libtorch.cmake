
# libtorch 2.11.0: the folder that -DLIBTORCH=FOLDER or the variable LIBTORCH names, else the one that gradtop's set-up recorded.
# find_package(Torch) cannot be used: the libtorch of pip is a build for CUDA, whose Caffe2Config.cmake ends with an error where
# there is no CUDA toolkit. Two folders of headers and two libraries are all that is needed, for a GPU too: gradtop itself opens
# libtorch's CUDA part.
if(NOT LIBTORCH)
  set(LIBTORCH "$ENV{LIBTORCH}")
endif()
if(NOT LIBTORCH)
  set(cache "$ENV{XDG_CACHE_HOME}")
  if(NOT IS_ABSOLUTE "${cache}")
    set(cache "$ENV{HOME}/.cache")
  endif()
  if(EXISTS "${cache}/gradtop/libtorch")
    file(STRINGS "${cache}/gradtop/libtorch" LIBTORCH LIMIT_COUNT 1)
  endif()
endif()
if(NOT EXISTS "${LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "libtorch: \"${LIBTORCH}\" holds no lib/libtorch_cpu.so. Set LIBTORCH to an unpacked libtorch 2.11.0, or "
    "to the torch folder of PyTorch 2.11.0; `gradtop plugin build` does it.")
endif()
get_filename_component(LIBTORCH "${LIBTORCH}" REALPATH) # a link may lead elsewhere one day

target_include_directories(plugin SYSTEM PRIVATE
  "${LIBTORCH}/include" "${LIBTORCH}/include/torch/csrc/api/include")
target_compile_definitions(plugin PRIVATE _GLIBCXX_USE_CXX11_ABI=1) # as libtorch is compiled
target_link_libraries(plugin PRIVATE "${LIBTORCH}/lib/libtorch_cpu.so" "${LIBTORCH}/lib/libc10.so")
# Where the plugin finds them, also once it is installed; as DT_RUNPATH, which yields to LD_LIBRARY_PATH.
set_target_properties(plugin PROPERTIES BUILD_RPATH "${LIBTORCH}/lib" INSTALL_RPATH "${LIBTORCH}/lib")
target_link_options(plugin PRIVATE LINKER:--enable-new-dtags)
