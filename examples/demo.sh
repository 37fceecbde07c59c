#!/usr/bin/env bash
# One user, two devices: sign out of one, then of all of them, and see what their tokens are worth afterwards.
#
#   examples/demo.sh                                  builds the service first
#   RESCIND=target/debug/rescind examples/demo.sh     uses this binary
#
# Needs bash, curl and coreutils. Every answer is checked: the first one that is not as promised ends the demo.
set -euo pipefail

if [[ -n ${RESCIND:-} ]]; then
  serve=("$RESCIND" serve)
else
  serve=(cargo run --release --manifest-path "$(dirname "$0")/../Cargo.toml" -- serve)
fi

folder=$(mktemp -d)
service=
clean_up() {
  if [[ -n $service ]] && kill "$service" 2>/dev/null; then wait "$service" || true; fi
  rm -rf "$folder"
}
trap clean_up EXIT

fail() { printf '\n  not as promised: %s\n' "$1" >&2; exit 1; }

# ---- calls ----------------------------------------------------------------------------------------------------------

# call LABEL STATUS METHOD PATH TOKEN [BODY]: sends one request, prints its answer, fails unless it has that status.
# The answer's body is left in $answer. An empty TOKEN sends none.
call() {
  local label=$1 expected=$2 method=$3 path=$4 token=$5 status
  local arguments=(--silent --show-error --request "$method" "$url/api/v1/$path" --output "$folder/answer"
    --write-out '%{http_code}' --header 'Content-Type: application/json')
  [[ -z $token ]] || arguments+=(--header "Authorization: Bearer $token")
  [[ $# -lt 6 ]] || arguments+=(--data "$6")
  status=$(curl "${arguments[@]}")
  answer=$(<"$folder/answer")
  show "$label" "$status"
  [[ $status == "$expected" ]] || fail "$label: expected $expected"
}

# Prints the answer in one line, tokens and long answers shortened.
show() {
  local body
  body=$(sed -E 's/"(v4\.[a-z]+\.)[^"]{6,}"/"\1…"/g; s/"type":"[^"]*",//; s/"detail":.*"code"/"code"/; s/,"request_id".*\}/}/
    s/,"token_type".*\}/,…}/; s/"id":"[^"]*",//g; s/("device":\{"name":"[^"]*").*/\1,…}}/' <<<"$answer")
  printf '  %-34s %s  %s\n' "$1" "$2" "$body"
}

# member NAME: the value of a text or number in the answer.
member() { sed -nE "s/.*\"$1\":\"?([^\",}]*).*/\1/p" <<<"$answer"; }

expect_code() { [[ $(member code) == "$1" ]] || fail "the code is not $1"; }

heading() { printf '\n%s\n' "$1"; }

# ---- the demo -------------------------------------------------------------------------------------------------------

"${serve[@]}" --listen 127.0.0.1:0 --metrics-listen off --data "$folder/data" >"$folder/out" 2>"$folder/log" &
service=$!
until url=$(sed -n 's/^listening on //p' "$folder/out") && [[ -n $url ]]; do
  kill -0 "$service" 2>/dev/null || { cat "$folder/log" >&2; fail 'the service did not start'; }
  sleep 0.05
done
echo "Rescind is listening on $url"

credentials='"username": "ada", "password": "correct horse battery"'

heading 'Ada registers on her phone and signs in on her desktop'
call 'register on mobile' 201 POST auth/register '' "{$credentials, \"device\": {\"name\": \"Ada's phone\", \"kind\": \"mobile\"}}"
mobile_access=$(member access) mobile_refresh=$(member refresh)
call 'log in on desktop' 200 POST auth/login '' "{$credentials, \"device\": {\"name\": \"Ada's desk\", \"kind\": \"desktop\"}}"
desktop_access=$(member access) desktop_refresh=$(member refresh)
call 'mobile: who am I?' 200 GET auth/me "$mobile_access"
call 'desktop: who am I?' 200 GET auth/me "$desktop_access"

heading 'She signs out of the phone: the desktop stays signed in'
call 'mobile: logout' 200 POST auth/logout/ "$mobile_access" "{\"refresh\": \"$mobile_refresh\"}"
call 'mobile: access token' 401 GET auth/me "$mobile_access" && expect_code signed_out
call 'mobile: refresh token' 401 POST auth/refresh '' "{\"refresh\": \"$mobile_refresh\"}" && expect_code signed_out
call 'desktop: access token' 200 GET auth/me "$desktop_access"
call 'desktop: refresh token' 200 POST auth/refresh '' "{\"refresh\": \"$desktop_refresh\"}"
desktop_access=$(member access) desktop_refresh=$(member refresh)

heading 'She signs in on the phone again, then out everywhere'
call 'log in on mobile' 200 POST auth/login '' "{$credentials, \"device\": {\"name\": \"Ada's phone\", \"kind\": \"mobile\"}}"
mobile_access=$(member access) mobile_refresh=$(member refresh)

# Both requests on one connection: the time of the second runs from the answer of the first.
{ read -r status seconds_of_logout; read -r refused seconds; } < <(
  curl --silent --request POST "$url/api/v1/auth/logout-all/" --header "Authorization: Bearer $desktop_access" \
    --header 'Content-Type: application/json' --output "$folder/answer" --write-out '%{http_code} %{time_total}\n' \
    --next --silent "$url/api/v1/auth/me" --header "Authorization: Bearer $mobile_access" \
    --output "$folder/refusal" --write-out '%{http_code} %{time_total}\n')
answer=$(<"$folder/answer")
show 'desktop: logout-all' "$status"
[[ $status == 200 && $(member signed_out) == 2 ]] || fail 'logout-all: expected two devices signed out'
answer=$(<"$folder/refusal")
show 'mobile: access token' "$refused"
[[ $refused == 401 ]] || fail 'the first request after logout-all was answered'
expect_code signed_out_everywhere
call 'desktop: access token' 401 GET auth/me "$desktop_access" && expect_code signed_out_everywhere
for device in mobile desktop; do
  token=${device}_refresh
  call "$device: refresh token" 401 POST auth/refresh '' "{\"refresh\": \"${!token}\"}" && expect_code signed_out_everywhere
done

heading 'A new sign-in works at once'
call 'log in on mobile' 200 POST auth/login '' "{$credentials}"
call 'mobile: who am I?' 200 GET auth/me "$(member access)"

milliseconds() { LC_ALL=C printf '%.1f ms' "${1}e3"; }
printf '\nlogout-all took %s; the first request after its answer was refused %s later.\n' \
  "$(milliseconds "$seconds_of_logout")" "$(milliseconds "$seconds")"
