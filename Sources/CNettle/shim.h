// SPDX-License-Identifier: Apache-2.0
#pragma once
// Swift's module of the C library first: what is included below belongs to it then, whatever is built in which order.
#pragma clang module import SwiftGlibc
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <nettle/sha3.h>
