"""Network file systems, by recorded mount tables."""

from pathlib import Path

import pytest

from sweepstake.errors import StoreRefusedError
from sweepstake.stores.sqlite.network import NETWORK_TYPES, file_system_type, is_network, refuse_network

#: A cluster's login node: the root on a local disk, homes on NFS, scratch on Lustre, a share with a space in its name.
CLUSTER = r"""22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
28 27 0:25 / /tmp rw,nosuid,nodev shared:13 - tmpfs tmpfs rw,size=65536000k
310 27 0:48 / /home rw,relatime shared:160 - nfs4 filer.example:/export/home rw,vers=4.2,hard,proto=tcp
311 310 259:5 /fast /home/fast rw,relatime shared:161 - xfs /dev/nvme1n1 rw,attr2
320 27 0:50 / /scratch rw,noatime shared:170 - lustre 10.0.0.1@o2ib:/scratch rw,flock,lazystatfs
330 27 0:52 / /mnt/my\040share rw,relatime shared:175 - cifs //filer.example/share rw,vers=3.1.1
340 27 0:53 / /mnt/laptop rw,nosuid,nodev,relatime - fuse.sshfs me@laptop:/home rw,user_id=1000
350 27 0:54 / /mnt/usb rw,nosuid,nodev,relatime - fuseblk /dev/sdb1 rw,user_id=0,blksize=4096
360 27 0:55 / /mnt/late rw,relatime - ext4 /dev/sdc1 rw
361 27 0:56 / /mnt/late rw,relatime - nfs filer.example:/late rw,vers=3
"""
#: A container: an overlay for everything, and one folder handed in from the machine by 9p.
CONTAINER = """1009 800 0:123 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w
1010 1009 0:126 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1020 1009 0:130 / /workspace rw,relatime - 9p drvfs rw,dirsync,aname=drvfs
"""


@pytest.mark.parametrize(
    "table,path,kind",
    [
        (CLUSTER, "/var/lib/jobs.db", "ext4"),
        (CLUSTER, "/tmp/jobs.db", "tmpfs"),
        (CLUSTER, "/home/me/jobs.db", "nfs4"),
        (CLUSTER, "/home", "nfs4"),
        (CLUSTER, "/homework/jobs.db", "ext4"),
        (CLUSTER, "/home/fast/jobs.db", "xfs"),
        (CLUSTER, "/scratch/me/jobs.db", "lustre"),
        (CLUSTER, "/mnt/my share/jobs.db", "cifs"),
        (CLUSTER, "/mnt/laptop/jobs.db", "fuse.sshfs"),
        (CLUSTER, "/mnt/usb/jobs.db", "fuseblk"),
        (CLUSTER, "/mnt/late/jobs.db", "nfs"),
        (CONTAINER, "/root/jobs.db", "overlay"),
        (CONTAINER, "/workspace/jobs.db", "9p"),
        ("", "/jobs.db", None),
        ("torn line\n22 27 0:21 / /proc", "/jobs.db", None),
    ],
)
def test_a_path_belongs_to_the_deepest_and_latest_mount(table: str, path: str, kind: str | None) -> None:
    """The mount table tells the type of the file system that holds a path."""
    assert file_system_type(table, path) == kind


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "gpfs", "beegfs", "9p", "ceph"]
)
def test_file_systems_of_other_machines_are_network(kind: str) -> None:
    """What other machines may write to is refused, by name or as anything unknown behind FUSE."""
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "fuseblk", "fuse.bindfs"])
def test_file_systems_of_this_machine_are_not(kind: str) -> None:
    """Local disks, memory and overlays hold a store."""
    assert not is_network(kind)
    assert kind not in NETWORK_TYPES


def test_this_machines_temporary_folder_holds_a_store(tmp_path: Path) -> None:
    """A file below folders that do not exist yet is judged by the one that does."""
    refuse_network(tmp_path / "new" / "folders" / "jobs.db")
    assert not (tmp_path / "new").exists()


def test_the_refusal_says_to_use_a_server(tmp_path: Path) -> None:
    """Somebody whose home is on NFS is told what to do instead."""
    table = tmp_path / "mountinfo"
    table.write_text("310 1 0:48 / / rw,relatime - nfs4 filer.example:/ rw\n")
    with pytest.raises(StoreRefusedError, match=r"nfs4.*sweepstake serve"):
        refuse_network(tmp_path / "jobs.db", mount_table=table)
