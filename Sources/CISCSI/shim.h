// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <poll.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
