//! Which system calls a program in the sandbox can make: those that Docker's default profile allows to a program without capabilities.
//! Others fail with EPERM; calls newer than this list with ENOSYS, as on a kernel without them, so that programs fall back.

use libc::{
    BPF_ABS, BPF_JA, BPF_JEQ, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
    SECCOMP_RET_USER_NOTIF, sock_filter,
};

/// Calls numbered above this one are newer than the list.
const NEWEST: i64 = libc::SYS_mseal;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

// What the `libc` crate lacks; the numbers above 423 are the same everywhere.
const SYS_CACHESTAT: i64 = 451;
const SYS_MAP_SHADOW_STACK: i64 = 453;
const SYS_FUTEX_WAKE: i64 = 454;
const SYS_FUTEX_WAIT: i64 = 455;
const SYS_FUTEX_REQUEUE: i64 = 456;
const SYS_IO_PGETEVENTS: i64 = if cfg!(target_arch = "x86_64") { 333 } else { 292 };

/// Where the kernel puts things (`struct seccomp_data`).
const NUMBER: u32 = 0;
const ARCHITECTURE_FIELD: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// Flags of clone that make namespaces.
const NEW_NAMESPACES: u32 = 0x7E02_0000;
/// Requests that push input into a terminal.
const TERMINAL_INPUT: [u32; 2] = [libc::TIOCSTI as u32, 0x541C];
const FAMILIES: [u32; 4] = [libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];
/// Linux, 32-bit addresses or not, with or without randomised addresses; and asking which.
const PERSONALITIES: [u32; 6] = [0, 0x8, 0x0004_0000, 0x0002_0000, 0x0002_0008, u32::MAX];

const ALLOW: u32 = SECCOMP_RET_ALLOW;
const REFUSE: u32 = SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// Answers without doing anything.
const PRETEND: u32 = SECCOMP_RET_ERRNO;
const UNKNOWN: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const NO_FAMILY: u32 = SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32;

/// The bit that is set in the types of devices and of no other file that can be made.
const DEVICE: u32 = libc::S_IFCHR;

/// Calls that give files to others, and those that make a process another user.
#[rustfmt::skip]
const OWNERS: &[i64] = {
    use libc::*;
    &[
        SYS_fchown, SYS_fchownat, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid,
        SYS_setfsgid, SYS_setgroups,
    ]
};
#[cfg(target_arch = "x86_64")]
const OWNERS_HERE: &[i64] = &[libc::SYS_chown, libc::SYS_lchown];
#[cfg(target_arch = "aarch64")]
const OWNERS_HERE: &[i64] = &[];

/// Which ids exist in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Those that an image may use.
    All,
    /// The program's user and group.
    One,
}

/// The program that answers a privileged program with success where the kernel would refuse: see [`super::Privileges`].
pub fn pretend(ids: Ids) -> Vec<sock_filter> {
    let mut program = Program::new();
    #[cfg(target_arch = "x86_64")]
    program.when(libc::SYS_mknod, 1, &[(BPF_JSET, DEVICE, PRETEND)], ALLOW);
    program.when(libc::SYS_mknodat, 2, &[(BPF_JSET, DEVICE, PRETEND)], ALLOW);
    if ids == Ids::One {
        for number in OWNERS.iter().chain(OWNERS_HERE) {
            program.when(*number, 0, &[], PRETEND);
        }
    }
    program.end(ALLOW)
}

/// The program that lets only allowed calls through; `more` of them than usual.
pub fn allow_list(more: &[i64]) -> Vec<sock_filter> {
    let mut program = Program::new();
    program.when(libc::SYS_clone, 0, &[(BPF_JSET, NEW_NAMESPACES, REFUSE)], ALLOW);
    program.when(libc::SYS_ioctl, 1, &TERMINAL_INPUT.map(|request| (BPF_JEQ, request, REFUSE)), ALLOW);
    program.when(libc::SYS_socket, 0, &FAMILIES.map(|family| (BPF_JEQ, family, ALLOW)), NO_FAMILY);
    program.when(libc::SYS_personality, 0, &PERSONALITIES.map(|personality| (BPF_JEQ, personality, ALLOW)), REFUSE);
    // Its flags are in memory, where no filter can look; without it, programs use clone.
    program.when(libc::SYS_clone3, 0, &[], UNKNOWN);
    let allowed: std::collections::BTreeSet<i64> = ALLOWED.iter().chain(ALLOWED_HERE).chain(more).copied().collect();
    let action = |number: i64| if allowed.contains(&number) { ALLOW } else { REFUSE };
    // Runs of neighbours with the same answer are one comparison.
    for number in 0..=NEWEST {
        if number == NEWEST || action(number) != action(number + 1) {
            program.up_to(number as u32, action(number));
        }
    }
    program.end(UNKNOWN)
}

/// The program that asks the stage about ports: see [`super::publish`].
pub fn questions() -> Vec<sock_filter> {
    let mut program = Program::new();
    for number in [libc::SYS_bind, libc::SYS_connect] {
        program.when(number, 0, &[], SECCOMP_RET_USER_NOTIF);
    }
    program.end(ALLOW)
}

/// A program that refuses some calls and hides others, for tests.
#[cfg(test)]
pub fn without(refused: &[i64], hidden: &[i64]) -> Vec<sock_filter> {
    let mut program = Program::new();
    if refused.contains(&libc::SYS_unshare) {
        program.when(libc::SYS_clone, 0, &[(BPF_JSET, NEW_NAMESPACES, REFUSE)], ALLOW);
    }
    for (number, action) in refused.iter().map(|number| (number, REFUSE)).chain(hidden.iter().map(|number| (number, UNKNOWN))) {
        program.when(*number, 0, &[], action);
    }
    program.end(ALLOW)
}

/// A filter under construction; the number of the call is loaded at every step.
struct Program(Vec<sock_filter>);

impl Program {
    fn new() -> Self {
        let mut program = Self(Vec::new());
        program.load(ARCHITECTURE_FIELD);
        program.jump(BPF_JEQ, ARCHITECTURE, 1, 0);
        program.answer(UNKNOWN);
        program.load(NUMBER);
        program
    }

    /// For one call, tests an argument: the first test that holds answers, else `otherwise` does.
    fn when(&mut self, number: i64, index: u32, tests: &[(u32, u32, u32)], otherwise: u32) {
        // The length of what follows is skipped for other calls; every list above is short.
        self.jump(BPF_JEQ, number as u32, 0, 2 + 2 * tests.len() as u8);
        self.load(argument(index));
        for (test, value, action) in tests {
            self.jump(*test, *value, 0, 1);
            self.answer(*action);
        }
        self.answer(otherwise);
    }

    /// Answers for calls up to this number.
    fn up_to(&mut self, number: u32, action: u32) {
        self.jump(BPF_JGT, number, 1, 0);
        self.answer(action);
    }

    fn end(mut self, action: u32) -> Vec<sock_filter> {
        self.answer(action);
        self.0
    }

    fn load(&mut self, offset: u32) {
        self.0.push(sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset });
    }

    fn jump(&mut self, test: u32, value: u32, when_true: u8, when_false: u8) {
        debug_assert!(test != BPF_JA);
        self.0.push(sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt: when_true, jf: when_false, k: value });
    }

    fn answer(&mut self, action: u32) {
        self.0.push(sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: action });
    }
}

/// Calls of every architecture (Docker's default profile, without what needs a capability).
#[rustfmt::skip]
const ALLOWED: &[i64] = {
    use libc::*;
    &[
        SYS_accept, SYS_accept4, SYS_adjtimex, SYS_bind, SYS_brk, SYS_CACHESTAT, SYS_capget, SYS_capset, SYS_chdir, SYS_clock_adjtime,
        SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_close, SYS_close_range, SYS_connect, SYS_copy_file_range, SYS_dup, SYS_dup3,
        SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group,
        SYS_faccessat, SYS_faccessat2, SYS_fadvise64, SYS_fallocate, SYS_fanotify_mark, SYS_fchdir, SYS_fchmod, SYS_fchmodat, SYS_fchmodat2,
        SYS_fchown, SYS_fchownat, SYS_fcntl, SYS_fdatasync, SYS_fgetxattr, SYS_flistxattr, SYS_flock, SYS_fremovexattr, SYS_fsetxattr, SYS_fstat,
        SYS_fstatfs, SYS_fsync, SYS_ftruncate, SYS_futex, SYS_FUTEX_REQUEUE, SYS_FUTEX_WAIT, SYS_futex_waitv, SYS_FUTEX_WAKE, SYS_get_robust_list,
        SYS_getcpu, SYS_getcwd, SYS_getdents64, SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getgroups, SYS_getitimer, SYS_getpeername, SYS_getpgid,
        SYS_getpid, SYS_getppid, SYS_getpriority, SYS_getrandom, SYS_getresgid, SYS_getresuid, SYS_getrlimit, SYS_getrusage, SYS_getsid,
        SYS_getsockname, SYS_getsockopt, SYS_gettid, SYS_gettimeofday, SYS_getuid, SYS_getxattr, SYS_inotify_add_watch, SYS_inotify_init1,
        SYS_inotify_rm_watch, SYS_io_cancel, SYS_io_destroy, SYS_io_getevents, SYS_io_setup, SYS_io_submit, SYS_IO_PGETEVENTS, SYS_ioprio_get,
        SYS_ioprio_set, SYS_kill, SYS_landlock_add_rule, SYS_landlock_create_ruleset, SYS_landlock_restrict_self, SYS_lgetxattr, SYS_linkat,
        SYS_listen, SYS_listxattr, SYS_llistxattr, SYS_lremovexattr, SYS_lseek, SYS_lsetxattr, SYS_madvise, SYS_MAP_SHADOW_STACK, SYS_membarrier,
        SYS_memfd_create, SYS_memfd_secret, SYS_mincore, SYS_mkdirat, SYS_mknodat, SYS_mlock, SYS_mlock2, SYS_mlockall, SYS_mmap, SYS_mprotect,
        SYS_mq_getsetattr, SYS_mq_notify, SYS_mq_open, SYS_mq_timedreceive, SYS_mq_timedsend, SYS_mq_unlink, SYS_mremap, SYS_mseal, SYS_msgctl,
        SYS_msgget, SYS_msgrcv, SYS_msgsnd, SYS_msync, SYS_munlock, SYS_munlockall, SYS_munmap, SYS_nanosleep, SYS_newfstatat, SYS_openat,
        SYS_openat2, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_pipe2, SYS_pkey_alloc, SYS_pkey_free, SYS_pkey_mprotect, SYS_ppoll,
        SYS_prctl, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_prlimit64, SYS_process_mrelease, SYS_process_vm_readv, SYS_process_vm_writev,
        SYS_pselect6, SYS_ptrace, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_read, SYS_readahead, SYS_readlinkat, SYS_readv, SYS_recvfrom,
        SYS_recvmmsg, SYS_recvmsg, SYS_remap_file_pages, SYS_removexattr, SYS_renameat2, SYS_restart_syscall, SYS_rseq, SYS_rt_sigaction,
        SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigqueueinfo, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
        SYS_rt_tgsigqueueinfo, SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_sched_getaffinity, SYS_sched_getattr,
        SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_rr_get_interval, SYS_sched_setaffinity, SYS_sched_setattr, SYS_sched_setparam,
        SYS_sched_setscheduler, SYS_sched_yield, SYS_seccomp, SYS_semctl, SYS_semget, SYS_semop, SYS_semtimedop, SYS_sendfile, SYS_sendmmsg,
        SYS_sendmsg, SYS_sendto, SYS_set_robust_list, SYS_set_tid_address, SYS_setfsgid, SYS_setfsuid, SYS_setgid, SYS_setgroups, SYS_setitimer,
        SYS_setpgid, SYS_setpriority, SYS_setregid, SYS_setresgid, SYS_setresuid, SYS_setreuid, SYS_setrlimit, SYS_setsid, SYS_setsockopt,
        SYS_setuid, SYS_setxattr, SYS_shmat, SYS_shmctl, SYS_shmdt, SYS_shmget, SYS_shutdown, SYS_sigaltstack, SYS_signalfd4, SYS_socketpair,
        SYS_splice, SYS_statfs, SYS_statx, SYS_symlinkat, SYS_sync, SYS_sync_file_range, SYS_syncfs, SYS_sysinfo, SYS_tee, SYS_tgkill,
        SYS_timer_create, SYS_timer_delete, SYS_timer_getoverrun, SYS_timer_gettime, SYS_timer_settime, SYS_timerfd_create, SYS_timerfd_gettime,
        SYS_timerfd_settime, SYS_times, SYS_tkill, SYS_truncate, SYS_umask, SYS_uname, SYS_unlinkat, SYS_utimensat, SYS_vmsplice, SYS_wait4,
        SYS_waitid, SYS_write, SYS_writev,
    ]
};

/// Calls that only this architecture has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_HERE: &[i64] = {
    use libc::*;
    &[
        SYS_access, SYS_alarm, SYS_arch_prctl, SYS_chmod, SYS_chown, SYS_creat, SYS_dup2, SYS_epoll_create, SYS_epoll_ctl_old, SYS_epoll_wait,
        SYS_epoll_wait_old, SYS_eventfd, SYS_fork, SYS_futimesat, SYS_get_thread_area, SYS_getdents, SYS_getpgrp, SYS_inotify_init, SYS_lchown,
        SYS_link, SYS_lstat, SYS_mkdir, SYS_mknod, SYS_modify_ldt, SYS_open, SYS_pause, SYS_pipe, SYS_poll, SYS_readlink, SYS_rename,
        SYS_renameat, SYS_rmdir, SYS_select, SYS_set_thread_area, SYS_signalfd, SYS_stat, SYS_symlink, SYS_time, SYS_unlink, SYS_utime,
        SYS_utimes, SYS_vfork,
    ]
};
#[cfg(target_arch = "aarch64")]
const ALLOWED_HERE: &[i64] = &[libc::SYS_renameat];

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a filter as the kernel does.
    fn answer_of<const N: usize>(program: &[sock_filter], number: i64, argument_values: [u32; N]) -> u32 {
        let (mut accumulator, mut at) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            if code == BPF_LD | BPF_W | BPF_ABS {
                accumulator = match step.k {
                    NUMBER => number as u32,
                    ARCHITECTURE_FIELD => ARCHITECTURE,
                    offset => argument_values[(offset as usize - 16) / 8],
                };
            } else if code == BPF_RET | BPF_K {
                return step.k;
            } else {
                let holds = match code & !(BPF_JMP | BPF_K) {
                    BPF_JEQ => accumulator == step.k,
                    BPF_JGT => accumulator > step.k,
                    BPF_JSET => accumulator & step.k != 0,
                    other => panic!("{other}"),
                };
                at += usize::from(if holds { step.jt } else { step.jf });
            }
        }
    }

    #[test]
    fn the_list_allows_refuses_and_does_not_know() {
        let program = allow_list(&[]);
        let answer = |number, arguments| answer_of(&program, number, arguments);
        for number in ALLOWED.iter().chain(ALLOWED_HERE) {
            assert_eq!(answer(*number, [0, 0]), ALLOW, "{number}");
        }
        for number in [libc::SYS_mount, libc::SYS_bpf, libc::SYS_unshare, libc::SYS_io_uring_setup, libc::SYS_keyctl, libc::SYS_setns] {
            assert_eq!(answer(number, [0, 0]), REFUSE, "{number}");
        }
        for number in [libc::SYS_clone3, NEWEST + 1, 9999, 0x4000_0000] {
            assert_eq!(answer(number, [0, 0]), UNKNOWN, "{number}");
        }
    }

    #[test]
    fn arguments_decide() {
        let program = allow_list(&[]);
        let answer = |number, arguments| answer_of(&program, number, arguments);
        assert_eq!(answer(libc::SYS_clone, [libc::CLONE_NEWUSER as u32 | 17, 0]), REFUSE);
        assert_eq!(answer(libc::SYS_clone, [libc::CLONE_VM as u32 | 17, 0]), ALLOW);
        assert_eq!(answer(libc::SYS_ioctl, [0, libc::TIOCSTI as u32]), REFUSE);
        assert_eq!(answer(libc::SYS_ioctl, [0, libc::TIOCGWINSZ as u32]), ALLOW);
        assert_eq!(answer(libc::SYS_socket, [libc::AF_INET6 as u32, 0]), ALLOW);
        assert_eq!(answer(libc::SYS_socket, [libc::AF_VSOCK as u32, 0]), NO_FAMILY);
        assert_eq!(answer(libc::SYS_personality, [u32::MAX, 0]), ALLOW);
        assert_eq!(answer(libc::SYS_personality, [0x0040_0000, 0]), REFUSE);
    }

    #[test]
    fn owners_and_devices_are_pretended() {
        for (ids, chown) in [(Ids::All, ALLOW), (Ids::One, PRETEND)] {
            let program = pretend(ids);
            assert_eq!(answer_of(&program, libc::SYS_fchown, [3, 7]), chown);
            assert_eq!(answer_of(&program, libc::SYS_setresuid, [7, 7]), chown);
            let mknodat = |mode| answer_of(&program, libc::SYS_mknodat, [0, 0, mode]);
            assert_eq!([libc::S_IFCHR, libc::S_IFBLK].map(|kind| mknodat(kind | 0o666)), [PRETEND; 2]);
            assert_eq!([libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK, 0].map(|kind| mknodat(kind | 0o666)), [ALLOW; 4]);
            assert_eq!(answer_of(&program, libc::SYS_read, [0, 0]), ALLOW);
        }
        assert_eq!(answer_of(&allow_list(&[]), libc::SYS_chroot, [0, 0]), REFUSE);
        assert_eq!(answer_of(&allow_list(&[libc::SYS_chroot]), libc::SYS_chroot, [0, 0]), ALLOW);
    }

    #[test]
    fn only_ports_raise_questions() {
        let program = questions();
        assert_eq!(answer_of(&program, libc::SYS_bind, [0, 0]), SECCOMP_RET_USER_NOTIF);
        assert_eq!(answer_of(&program, libc::SYS_connect, [0, 0]), SECCOMP_RET_USER_NOTIF);
        assert_eq!(answer_of(&program, libc::SYS_read, [0, 0]), ALLOW);
    }
}
