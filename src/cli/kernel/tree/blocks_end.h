/* SPDX-License-Identifier: MIT */
/* Behind arm64's notifier: the functions that ask it, for memory_block_offline() and memory_block_online(). */
static int kc_pages_go(unsigned long pfn, unsigned long pages, bool online)
{
	struct memory_notify arg = { .start_pfn = pfn, .nr_pages = pages };

	kc_block_pages(pfn, pages, online);
	if (KC_NOTIFIER(NULL, online ? MEM_GOING_ONLINE : MEM_GOING_OFFLINE, &arg) & NOTIFY_STOP_MASK)
		return -EPERM;
	if (kc_task->asks)
		return -EAGAIN;
	KC_NOTIFIER(NULL, online ? MEM_ONLINE : MEM_OFFLINE, &arg);
	return 0;
}
#define offline_pages(pfn, pages, ...) kc_pages_go(pfn, pages, false)
#define online_pages(pfn, pages, ...) kc_pages_go(pfn, pages, true)
