package store

import (
	"os/exec"
	"testing"
)

func mountTmpfs(dir, size string) error {
	return exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).Run()
}

func remountTmpfs(dir, size string) error {
	return exec.Command("mount", "-o", "remount,size="+size, dir).Run()
}

func unmount(t *testing.T, dir string) {
	if err := exec.Command("umount", "-l", dir).Run(); err != nil {
		t.Error(err)
	}
}
