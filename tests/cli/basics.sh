#!/bin/sh
# The command itself: help, unknown words, exit codes, and no escape bytes where no terminal is.
. "${FW_SOURCE:?}/tests/lib.sh"

expect_exit 0 "$flywheel" version
version=$(sed -n 's/^project(flywheel VERSION \([0-9.]*\).*/\1/p' "$FW_SOURCE/CMakeLists.txt")
expect_same version "$(cat out)" "flywheel $version"
expect_exit 0 "$flywheel" --version
expect_same version "$(cat out)" "flywheel $version"
expect_exit 0 "$flywheel" version --json
says '"protocol": 1' "\"version\": \"$version\""

# Without a command: the list on stderr, and a usage error.
expect_exit 2 "$flywheel"
expect_same "stdout" "$(cat out)" ""
expect_exit 0 "$flywheel" --help
cp out help
for command in init validate plan run resume status show log report diff snapshot plugin schema version; do
    expect_text help "  $command "
    run "$flywheel" $command --help
    ok
    [ "$code" = 0 ] || fail "exit $code: flywheel $command --help"
    ok
    head -1 out | grep -q "^usage: flywheel $command" || fail "$command --help begins otherwise" out
done

# Without a pipeline there is nothing that a record could belong to.
mkdir -p "$work/empty/below" && cd "$work/empty/below" || exit 1
for command in status show "show --runs" log report resume; do
    # shellcheck disable=SC2086
    expect_exit 2 "$flywheel" $command
    golden "$work/err" <<'END'
error: there is no flywheel.yaml in this folder or one above it
  hint: go to the project's folder, name the file with --file, or run `flywheel init` to make one
END
done
expect_exit 2 "$flywheel" status --file other.yaml
says "there is no other.yaml"
echo "flywheel: 1" >../flywheel.yaml
expect_exit 2 "$flywheel" status
says "there is no run yet"
cd "$work" || exit 1

# A letter too many is near; another word of the same length is not.
expect_exit 2 "$flywheel" rreport
says "did you mean 'report'?"
expect_exit 2 "$flywheel" xyzzy
expect_no_text err "did you mean"
expect_exit 2 "$flywheel" stauts
golden err <<'END'
flywheel: there is no command 'stauts'; did you mean 'status'?
`flywheel --help` lists them.
END
expect_exit 2 "$flywheel" frobnicate
golden err <<'END'
flywheel: there is no command 'frobnicate'
`flywheel --help` lists them.
END
expect_exit 2 "$flywheel" run --frob
golden err <<'END'
flywheel run: unknown option '--frob'; see `flywheel run --help`
END
expect_exit 2 "$flywheel" run --id
golden err <<'END'
flywheel run: --id wants a value
END
expect_exit 2 "$flywheel" run -j many
golden err <<'END'
flywheel run: --jobs wants a whole number, not 'many'
END
expect_exit 2 "$flywheel" run --quiet=yes
golden err <<'END'
flywheel run: --quiet takes no value
END
expect_exit 2 "$flywheel" run now
golden err <<'END'
flywheel run: unexpected 'now'; see `flywheel run --help`
END
expect_exit 2 "$flywheel" snapshot
says "usage: flywheel snapshot"

# Where there is no project.
for command in run resume plan validate status show log report diff "snapshot list"; do
    # shellcheck disable=SC2086
    run "$flywheel" $command
    ok
    [ "$code" = 2 ] || fail "exit $code, not 2, without a project: $command" all
done
expect_exit 2 "$flywheel" run
golden err <<'END'
error: cannot open flywheel.yaml: No such file or directory
  run `flywheel init` to make one, or name it with --file
END
expect_exit 2 "$flywheel" status
golden err <<'END'
error: there is no flywheel.yaml in this folder or one above it
  hint: go to the project's folder, name the file with --file, or run `flywheel init` to make one
END

# The schema is JSON, and knows the keys of the examples.
expect_exit 0 "$flywheel" schema
if command -v python3 >/dev/null; then
    cp out schema.json
    expect_exit 0 python3 -c 'import json; s = json.load(open("schema.json")); print(*s["properties"])'
    says flywheel name seed dataset metric stages loop resources executor notify
fi

# Colour and live lines are for terminals; NO_COLOR is honoured there.
make_project p
esc=$(printf '\033')
for colour in "" 1; do
    rm -rf .flywheel flywheel.lock
    NO_COLOR=$colour TERM=xterm-256color
    export NO_COLOR TERM
    expect_exit 0 "$flywheel" run -v --set loop.max_iterations=0
    expect_no_text "$work/all" "$esc"
    expect_exit 2 "$flywheel" validate --set stages.train.plugin=liner
    expect_no_text "$work/all" "$esc"
done
if command -v script >/dev/null; then
    rm -rf .flywheel flywheel.lock
    unset NO_COLOR
    expect_exit 2 script -qec "$flywheel validate --set stages.train.plugin=liner" /dev/null
    expect_text "$work/out" "$esc[1;31merror:$esc[0m"
    export NO_COLOR=1
    expect_exit 2 script -qec "$flywheel validate --set stages.train.plugin=liner" /dev/null
    expect_no_text "$work/out" "$esc[1;31m"
    expect_text "$work/out" "error:"
fi
done_testing
