package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Binaries are the paths of the programs. Empty ones are looked for beside the running program, then in PATH.
type Binaries struct {
	Phalanx  string
	Pruntime string // pruntime-sim
}

const (
	phalanxName  = "phalanx"
	pruntimeName = "pruntime-sim"
)

// find fills in what is empty.
func (b Binaries) find() (Binaries, error) {
	for _, x := range []struct {
		path *string
		name string
	}{{&b.Phalanx, phalanxName}, {&b.Pruntime, pruntimeName}} {
		if *x.path != "" {
			continue
		}
		path, err := look(x.name)
		if err != nil {
			return b, err
		}
		*x.path = path
	}
	return b, nil
}

func look(name string) (string, error) {
	self, err := os.Executable()
	if err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("program %s is neither beside this one nor in PATH (make build writes it): %w", name, err)
	}
	return filepath.Abs(path)
}

// Build compiles the programs from the source tree that holds the working directory into dir. It is for tests.
func Build(ctx context.Context, dir string) (Binaries, error) {
	b := Binaries{filepath.Join(dir, phalanxName), filepath.Join(dir, pruntimeName)}
	root, err := sourceTree(ctx)
	if err != nil {
		return b, err
	}
	return b, build(ctx, root, "-o", dir+string(filepath.Separator), "./cmd/phalanx", "./cmd/pruntime-sim")
}

// BuildRelease compiles pruntime-sim as another release, measured under a name of its own, to a path. It is for tests.
func BuildRelease(ctx context.Context, path, measured string) error {
	root, err := sourceTree(ctx)
	if err != nil {
		return err
	}
	return build(ctx, root, "-ldflags", "-X main.measured="+measured, "-o", path, "./cmd/pruntime-sim")
}

func sourceTree(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(out)))
	if err != nil || root == "." {
		return "", errors.Join(errors.New("not in the source tree"), err)
	}
	return root, nil
}

func build(ctx context.Context, root string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, text)
	}
	return nil
}
