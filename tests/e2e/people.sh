#!/bin/sh
# Waiting for people: the run parks, goes on when the answers are there, and tells a webhook, signed.
. "${FW_SOURCE:?}/tests/lib.sh"
make_project p
{
    yaml_base
    cat <<'YAML'
  relabel:
    kind: relabel
    plugin: inbox
    with: {samples: 12}
YAML
    yaml_loop
} >flywheel.yaml

expect_exit 4 "$flywheel" run --id one
says "waiting: relabel: fill in the column label of $PWD/inbox/one-1-relabel.1.todo.csv" \
    "\`flywheel resume\` goes on when the answers are there"
expect_exit 0 "$flywheel" status
says "status     parked" "waiting" "next       flywheel resume"
set -- inbox/*.todo.csv
questions=$1
ok
[ -s "$questions" ] || fail "no questions"
# Not yet: parks again, and asks nothing twice.
before=$(cat inbox/*.csv)
expect_exit 4 "$flywheel" resume
expect_same "the questions" "$(cat inbox/*.csv)" "$before"
# The lock is free, but a second run would ask again.
expect_exit 4 "$flywheel" run
says "run one is parked, waiting for people" "\`flywheel run --new\` starts another beside it"

# answer FILE: fills the answer column from the truth
answer() {
    awk -F, -v OFS=, '
        NR == FNR { truth[$1] = $2; next }
        FNR == 1 { for (i = 1; i <= NF; i++) { if ($i == "id") id = i; if ($i == "label" || $i == "answer") a = i } print; next }
        { $a = truth[$id]; print }' truth.csv "$1" >"${1%.todo.csv}.done.csv"
}
head -2 "$questions" >"$work/head"
answer "$questions"
run "$flywheel" resume
turns=0
while [ $code = 4 ] && [ $turns -lt 5 ]; do
    for file in inbox/*.todo.csv; do
        answer "$file"
    done
    run "$flywheel" resume
    turns=$((turns + 1))
done
ok
[ $code = 0 ] || fail "exit $code after the answers" "$work/head"
expect_exit 0 "$flywheel" show
says "improved" "kept"
ok
[ "$(git rev-list --count flywheel/bugs)" -ge 2 ] || fail "the answers made no snapshot"
expect_exit 2 "$flywheel" resume
says "there is nothing to resume"

# The webhook.
command -v python3 >/dev/null || done_testing
cat >"$work/hook.py" <<'PY'
import hashlib, hmac, http.server, json, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        good = "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        said = json.loads(body)
        with open(sys.argv[1], "a") as out:
            print(said["status"], said["run"], said["name"],
                  self.headers["X-Flywheel-Signature"] == good, file=out)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
with open(sys.argv[2], "w") as out:
    print(server.server_port, file=out)
server.serve_forever()
PY
python3 "$work/hook.py" "$work/told" "$work/port" &
hook=$!
trap 'kill $hook 2>/dev/null; rm -rf "$work"' EXIT
wait_for 10 test -s "$work/port"
read -r port <"$work/port"
cd "$work" && make_project q
{
    yaml_base
    yaml_oracle
    yaml_loop
    echo "notify: {webhook: \"http://127.0.0.1:$port/hook\", secret: \"\${HOOK_SECRET}\"}"
} >flywheel.yaml
export HOOK_SECRET=s3cret
expect_exit 0 "$flywheel" run --id good
expect_exit 1 "$flywheel" run --id bad --new-model --set 'stages.evaluate.timeout=1ms' --set stages.train.with.C=3
sed 's/inbox/x/' flywheel.yaml | sed '/^  relabel:/,/^    with/d' >asking.yaml
sed -i '/^  analyse/a\  relabel: {kind: relabel, plugin: inbox, with: {samples: 5}}' asking.yaml
expect_exit 4 "$flywheel" run -f asking.yaml --id wait --new-model
golden "$work/told" <<'END'
stopped good bugs True
failed bad bugs True
parked wait bugs True
END
# The secret is nowhere in what is kept.
ok
! grep -rqF s3cret .flywheel .git flywheel.lock || fail "the secret is on disk"
# Nobody listens: a warning, no more.
kill $hook
wait $hook 2>/dev/null
expect_exit 0 "$flywheel" run --new --id deaf --new-model --set loop.max_iterations=0
says "webhook: "
done_testing
