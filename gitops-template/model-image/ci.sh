#!/usr/bin/env bash
# The steps of CI that make the image of one model version, whichever CI it is: model-image/ci.sh STEP
#
# Reads MODEL_NAME, MODEL_VERSION, IMAGE and TAG, which wanted.py has checked; each step reads what it says besides. What
# one step leaves for the next is in WORK, by default the temporary folder of the job. Model code runs inside of docker
# only, without credentials. What is printed to standard error can give no orders to the CI that shows it, whoever wrote it.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")"
WORK=${WORK:-${RUNNER_TEMP:-${AGENT_TEMPDIRECTORY:-/tmp}}}
PATIENCE=${PATIENCE:-150} # seconds; LOAD_SECONDS of the pod

say() { printf '%s\n' "$*" >&2; }

harmless() { # GitHub Actions and Azure Pipelines take ::, ##[ and ##vso[ for orders, also with what they do not see between
    local twice='s/#([^ -~]*)#/# \1#/g; s/:([^ -~]*):/: \1:/g' # the second time for those that overlap
    LC_ALL=C sed -u -E "$twice; $twice"
}

digest() {
    local found
    found=$(<"$WORK/digest")
    [[ $found =~ ^sha256:[0-9a-f]{64}$ ]] || { say "Error: there is no digest of a built image"; return 1; }
    printf '%s' "$found"
}

tools() { # what talks to MLflow, by hash, in an environment of its own
    [ -x "$WORK/fetch/bin/python" ] && return
    python3 -m venv "$WORK/fetch"
    "$WORK/fetch/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement fetch-requirements.txt
}

asked() { # the version that this run was started for; what wanted.py says it reads
    python3 wanted.py asked
}

missing() { # those that promotions.yaml wants; MLFLOW_TRACKING_URI and MLflow's credentials
    "$WORK/fetch/bin/python" wanted.py missing
}

there() { # true when the image has its final tag already: then there is nothing to do
    if docker buildx imagetools inspect "$IMAGE:$TAG" >/dev/null 2>"$WORK/there"; then
        echo true
    else
        say "Not there yet: $(tail -n 1 "$WORK/there")"
        echo false
    fi
}

fetch() { # the version exists, is READY, and comes here; MLFLOW_TRACKING_URI and MLflow's credentials
    "$WORK/fetch/bin/python" fetch.py --only-download . >&2
}

release() { jq --raw-output --arg key "$1" '.[$key] // ""' release.json; }

build() { # push it by digest, with SBOM and provenance; nobody finds it as long as it has no tag
    local cache="type=registry,ref=$IMAGE:buildcache"
    docker buildx build --progress plain \
        --build-arg MODEL_NAME --build-arg MODEL_VERSION \
        --build-arg MLFLOW_RUN_ID="$(release run_id)" --build-arg CREATED="$(release created)" \
        --build-arg SOURCE="$(release source)" --build-arg REVISION="$(release revision)" \
        --cache-from "$cache" --cache-to "$cache,mode=max,image-manifest=true,oci-mediatypes=true" \
        --attest type=sbom --attest type=provenance,mode=max \
        --output "type=image,name=$IMAGE,push=true,push-by-digest=true,name-canonical=true" \
        --metadata-file "$WORK/metadata.json" . >&2
    jq --raw-output '."containerimage.digest"' "$WORK/metadata.json" >"$WORK/digest"
    local found
    found=$(digest)
    say "Pushed $IMAGE@$found"
}

get() { # what the server in a container answers; 1 when that is not 200
    timeout 20 docker exec "$1" python -c '
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
connection.request("GET", sys.argv[1])
answer = connection.getresponse()
print(answer.read().decode(errors="replace")[:1000])
sys.exit(answer.status != 200)' "$2" 2>/dev/null
}

prove() { # shut in as in its pod: the model answers its input example, and the server says that it is alive and ready
    local reference container path deadline limit=$((PATIENCE * 4))
    local shut=(--read-only --tmpfs /tmp:mode=1777 --cap-drop ALL --security-opt no-new-privileges --memory 2g --pids-limit 1024)
    shut+=(--network "${MODEL_NETWORK:-none}") # a model that needs more than MLflow and DNS has it neither here nor there
    reference=$IMAGE@$(digest)
    # As the first process of a container Python would not hear SIGTERM: --init.
    timeout --kill-after 20 "$limit" docker run --rm --init "${shut[@]}" --entrypoint python "$reference" \
        answer.py ask model >"$WORK/answer.json" || {
        case $? in
        124) say "Error: the model did not load and answer its input example within $limit seconds" ;;
        137) say 'Error: the model was killed: it may need more than the memory that its pod has' ;;
        esac
        return 1
    }
    deadline=$((SECONDS + PATIENCE))
    container=$(docker run --detach "${shut[@]}" "$reference")
    # shellcheck disable=SC2064 # the container is that of now
    trap "docker rm --force $container >/dev/null" EXIT
    for path in /health /ready; do
        until get "$container" "$path" >"$WORK/said"; do
            if [ "$SECONDS" -ge "$deadline" ]; then
                say "Error: $path did not answer 200 within $PATIENCE seconds. What the server logged last:"
                docker logs --tail 50 "$container" >&2
                return 1
            fi
            sleep 1
        done
        say "$path: $(<"$WORK/said")"
    done
    get "$container" /version >"$WORK/said"
    [ "$(jq --raw-output .version "$WORK/said")" = "$MODEL_VERSION" ] ||
        { say "Error: the server says that it is another version: $(<"$WORK/said")"; return 1; }
}

keep() { # what it answered goes to the version's tag gitops-bot.answer; MLFLOW_TRACKING_URI and MLflow's credentials
    "$WORK/fetch/bin/python" answer.py keep "$WORK/answer.json" >&2
}

sign() { # keyless: the certificate names this workflow. The digest covers SBOM and provenance
    local found
    found=$(digest) # an assignment of its own: only then is its failure one of the step
    cosign sign --yes "$IMAGE@$found"
}

tagged() { docker buildx imagetools inspect "$IMAGE:$TAG" --format '{{.Manifest.Digest}}'; }

publish() { # the final tag, for exactly what was proven; the bot waits for it. A tag that is there is never moved
    local found now
    found=$(digest)
    now=$(tagged 2>/dev/null) || now=$found
    [ "$now" = "$found" ] ||
        { say "Error: $IMAGE:$TAG is there already, and is another image: $now"; return 1; }
    docker buildx imagetools create --tag "$IMAGE:$TAG" "$IMAGE@$found" >&2
    [ "$(tagged)" = "$found" ] || { say "Error: $IMAGE:$TAG is not what was proven"; return 1; }
}

matrix() { # for Azure Pipelines, of what wanted.py prints: a job for each version, and the environments that they are for
    jq --raw-output --arg known "${ENVIRONMENTS:-staging production}" '($known | split(" ")) as $known
        | map(.environment = if .environment == "" then "staging" else .environment end)
        | (.[].environment | select(IN($known[]) | not)
            | "##vso[task.logissue type=warning]Nothing is built for \(.): the pipeline has no such environment, and nobody to approve"),
          (map(select(.environment | IN($known[])))
        | (to_entries | map({key: "v\(.key)", value: (.value | with_entries(.key |= ascii_upcase))}) | from_entries) as $jobs
        | "##vso[task.setvariable variable=versions;isOutput=true]\($jobs | tojson)",
          "##vso[task.setvariable variable=environments;isOutput=true]\(map(.environment) | unique | join(","))")' <<<"$1"
}

note() { # what was proven, for the stage that gives it its tag
    local found
    found=$(digest)
    jq --null-input --arg image "$IMAGE" --arg tag "$TAG" --arg environment "$ENVIRONMENT" --arg digest "$found" \
        '{image: $image, tag: $tag, environment: $environment, digest: $digest}'
}

hand_out() { # publish what was noted in the folders below this one for ENVIRONMENT
    local file failed=0
    for file in "$1"/*/proven.json; do
        if [ ! -f "$file" ] || [ "$(jq --raw-output .environment "$file")" != "$ENVIRONMENT" ]; then continue; fi
        IMAGE=$(jq --raw-output .image "$file") TAG=$(jq --raw-output .tag "$file")
        jq --raw-output .digest "$file" >"$WORK/digest"
        az acr login --name "${IMAGE%%.*}" >&2
        IMAGE=$IMAGE TAG=$TAG ./ci.sh publish || failed=1 # the others get theirs all the same
    done
    return "$failed"
}

summary() { # Markdown for people on standard output; RESULT says how it went
    local reference="$IMAGE:$TAG" line
    if [ -s "$WORK/digest" ]; then reference+="@$(<"$WORK/digest")"; fi
    printf '## %s\n\n' "$(result)"
    # An indented block: no character of a name means anything in there.
    for line in "model    $MODEL_NAME" "version  $MODEL_VERSION" "image    $reference" "run      $(released run_id)" \
        "source   $(released source) $(released revision)"; do
        printf '    %s\n' "$(tr -d '[:cntrl:]' <<<"$line" | harmless)"
    done
}

released() { if [ -s release.json ]; then release "$1"; else echo 'not known'; fi; }

result() {
    case ${RESULT:-} in
    success | Succeeded | SucceededWithIssues) echo 'The image is built and proven' ;;
    cancelled | Canceled) echo 'There is no image, as the run was cancelled or took too long' ;;
    *) echo 'There is no image' ;;
    esac
}

tell() { # people, at NOTIFY_URL, if there is one ({"text": "..."}, as Slack and Teams take it); RESULT and RUN_URL
    [ -n "${NOTIFY_URL:-}" ] || { say 'NOTIFY_URL is not set: nobody is told'; return; }
    local what='what promotions.yaml wants is not known'
    [ -z "${MODEL_NAME:-}" ] || what="$MODEL_NAME version $MODEL_VERSION"
    jq --null-input --arg text "$(result): $what. ${RUN_URL:-}" '{$text}' |
        # The address is a secret, so that no argument has it.
        curl --fail --silent --show-error --max-time 20 --output /dev/null --header 'Content-Type: application/json' \
            --data-binary @- --config <(printf 'url = "%s"\n' "$NOTIFY_URL") || say 'Nobody could be told'
}

case ${1:-} in
tools | asked | missing | there | fetch | build | prove | keep | sign | publish | summary | tell | matrix | note | hand_out)
    { "$@" 2>&1 >&3 3>&- | harmless >&2 3>&-; } 3>&1
    ;;
*)
    say "Usage: ci.sh STEP, one of the functions in here"
    exit 2
    ;;
esac
