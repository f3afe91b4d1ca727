// SPDX-License-Identifier: Apache-2.0
#pragma once
// Swift's module of the C library first: what is included below belongs to it then, whatever is built in which order.
#pragma clang module import SwiftGlibc
#include <jansson.h>
