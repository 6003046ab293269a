// SPDX-License-Identifier: MIT
/*
 * dma-bufs of any exporter: map them, bracket CPU accesses, hand them over.
 */
#include <errno.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xf86drm.h>

#include "vshare.h"

int vshare_dmabuf_size(int dmabuf, uint64_t *size)
{
	off_t end = lseek(dmabuf, 0, SEEK_END);

	if (end < 0)
		return -errno;
	lseek(dmabuf, 0, SEEK_SET);
	*size = end;
	return 0;
}

int vshare_dmabuf_mmap(int dmabuf, size_t size, void **map)
{
	void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	if (ptr == MAP_FAILED)
		return -errno;
	*map = ptr;
	return 0;
}

static int bracket(int dmabuf, uint64_t edge, bool write)
{
	struct dma_buf_sync args = {
		.flags = edge | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ),
	};

	return drmIoctl(dmabuf, DMA_BUF_IOCTL_SYNC, &args) ? -errno : 0;
}

int vshare_dmabuf_begin(int dmabuf, bool write)
{
	return bracket(dmabuf, DMA_BUF_SYNC_START, write);
}

int vshare_dmabuf_end(int dmabuf, bool write)
{
	return bracket(dmabuf, DMA_BUF_SYNC_END, write);
}

/* A control message needs at least one byte of data to travel with. */
union fd_message {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int vshare_dmabuf_send(int sock, int dmabuf)
{
	union fd_message control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t sent;

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &dmabuf, sizeof(dmabuf));

	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int vshare_dmabuf_recv(int sock)
{
	union fd_message control = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	ssize_t received;
	int fd;

	do {
		received = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	if (!received)
		return -EPIPE;

	header = CMSG_FIRSTHDR(&msg);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* As system calls: not every C library that runs on a 6.12 kernel has functions for them. */
int vshare_dmabuf_take(int pid, int fd)
{
	int pidfd, taken;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		/* What newer kernels say to the number of a thread. */
		return errno == ENOENT ? -EINVAL : -errno;
	taken = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (taken < 0)
		taken = -errno;
	close(pidfd);
	return taken;
}
