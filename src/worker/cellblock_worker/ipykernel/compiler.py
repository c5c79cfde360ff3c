"""ipykernel's names for the scheme of cells' file names."""

import os

from cellblock_worker.cellnames import HASH_SEED, CellCompiler, directory, file_name, murmur2

XCachingCompiler = CellCompiler
murmur2_x86 = murmur2
get_tmp_directory = directory
get_file_name = file_name


def get_tmp_hash_seed():
    return HASH_SEED


def convert_to_long_pathname(filename):
    return filename


def compare_debug_filenames(first, second):
    return os.path.normcase(first) == os.path.normcase(second)
