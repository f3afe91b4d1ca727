// SPDX-License-Identifier: Apache-2.0
#pragma once
// Swift's module of the C library first: what is included below belongs to it then, whatever is built in which order.
#pragma clang module import SwiftGlibc
#include <stdint.h>
#include <stdlib.h>
#include <poll.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
