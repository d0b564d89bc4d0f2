#!/usr/bin/env bash
# The steps of CI that make the image of one model version, whichever CI it is: model-image/ci.sh STEP
#
# Reads MODEL_NAME, MODEL_VERSION, IMAGE and TAG, which wanted.py has checked; each step reads what it says besides. What
# one step leaves for the next is in WORK, by default the temporary folder of the job. Model code runs inside of docker
# only, without credentials, and what it prints can give no orders to the CI that shows it.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")"
WORK=${WORK:-${RUNNER_TEMP:-${AGENT_TEMPDIRECTORY:-/tmp}}}
PATIENCE=${PATIENCE:-150} # seconds; LOAD_SECONDS of the pod

say() { printf '%s\n' "$*" >&2; }

harmless() { # lines that GitHub Actions or Azure Pipelines would take for orders
    sed -u -e 's/::/: :/g' -e 's/##/# #/g'
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

there() { # true when the image has its final tag already: then there is nothing to do
    if docker buildx imagetools inspect "$IMAGE:$TAG" >/dev/null 2>"$WORK/there"; then
        echo true
    else
        say "Not there yet: $(tail -n 1 "$WORK/there" | harmless)"
        echo false
    fi
}

fetch() { # the version exists, is READY, and comes here; MLFLOW_TRACKING_URI and MLflow's credentials
    "$WORK/fetch/bin/python" fetch.py --only-download .
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
        --metadata-file "$WORK/metadata.json" . 2>&1 | harmless >&2
    jq --raw-output '."containerimage.digest"' "$WORK/metadata.json" >"$WORK/digest"
    local found
    found=$(digest)
    say "Pushed $IMAGE@$found"
}

get() { # what the server in a container answers; 1 when that is not 200
    docker exec "$1" python -c '
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
connection.request("GET", sys.argv[1])
answer = connection.getresponse()
print(answer.read().decode(errors="replace")[:1000])
sys.exit(answer.status != 200)' "$2" 2>/dev/null
}

prove() { # shut in as in its pod: the model answers its input example, and the server says that it is alive and ready
    local reference container path deadline=$((SECONDS + PATIENCE))
    local shut=(--read-only --tmpfs /tmp:mode=1777 --cap-drop ALL --security-opt no-new-privileges --memory 2g)
    shut+=(--network "${MODEL_NETWORK:-none}") # a model that needs more than MLflow and DNS has it neither here nor there
    reference=$IMAGE@$(digest)
    timeout "$((PATIENCE * 4))" docker run --rm "${shut[@]}" --entrypoint python "$reference" answer.py ask model \
        2> >(harmless >&2) >"$WORK/answer.json"
    container=$(docker run --detach "${shut[@]}" "$reference")
    # shellcheck disable=SC2064 # the container is that of now
    trap "docker rm --force $container >/dev/null" EXIT
    for path in /health /ready; do
        until get "$container" "$path" >"$WORK/said"; do
            if [ "$SECONDS" -ge "$deadline" ]; then
                say "Error: $path did not answer 200 within $PATIENCE seconds. What the server logged last:"
                docker logs --tail 50 "$container" 2>&1 | harmless >&2
                return 1
            fi
            sleep 1
        done
        say "$path: $(harmless <"$WORK/said")"
    done
    get "$container" /version >"$WORK/said"
    [ "$(jq --raw-output .version "$WORK/said")" = "$MODEL_VERSION" ] ||
        { say "Error: the server says that it is another version: $(harmless <"$WORK/said")"; return 1; }
}

keep() { # what it answered goes to the version's tag gitops-bot.answer; MLFLOW_TRACKING_URI and MLflow's credentials
    "$WORK/fetch/bin/python" answer.py keep "$WORK/answer.json"
}

sign() { # keyless: the certificate names this workflow. The digest covers SBOM and provenance
    local found
    found=$(digest) # an assignment of its own: only then is its failure one of the step
    cosign sign --yes "$IMAGE@$found"
}

publish() { # the final tag, for exactly what was proven; the bot waits for it
    local found
    found=$(digest)
    docker buildx imagetools create --tag "$IMAGE:$TAG" "$IMAGE@$found"
    [ "$(docker buildx imagetools inspect "$IMAGE:$TAG" --format '{{.Manifest.Digest}}')" = "$found" ] ||
        { say "Error: $IMAGE:$TAG is not what was proven"; return 1; }
}

matrix() { # for Azure Pipelines, of what wanted.py prints: a job for each version, and the environments that they are for
    jq --raw-output 'map(.environment = if .environment == "" then "staging" else .environment end)
        | (to_entries | map({key: "v\(.key)", value: (.value | with_entries(.key |= ascii_upcase))}) | from_entries) as $jobs
        | "##vso[task.setvariable variable=versions;isOutput=true]\($jobs | tojson)",
          "##vso[task.setvariable variable=environments;isOutput=true]\(map(.environment) | unique | join(","))"' <<<"$1"
}

note() { # what was proven, for the stage that gives it its tag
    local found
    found=$(digest)
    jq --null-input --arg image "$IMAGE" --arg tag "$TAG" --arg environment "$ENVIRONMENT" --arg digest "$found" \
        '{image: $image, tag: $tag, environment: $environment, digest: $digest}'
}

hand_out() { # publish what was noted in the folders below this one for ENVIRONMENT
    local file
    for file in "$1"/*/proven.json; do
        if [ ! -f "$file" ] || [ "$(jq --raw-output .environment "$file")" != "$ENVIRONMENT" ]; then continue; fi
        IMAGE=$(jq --raw-output .image "$file") TAG=$(jq --raw-output .tag "$file")
        jq --raw-output .digest "$file" >"$WORK/digest"
        az acr login --name "${IMAGE%%.*}"
        publish
    done
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

result() { if [[ ${RESULT:-} =~ ^(success|Succeeded)$ ]]; then echo 'The image is built and proven'; else echo 'There is no image'; fi; }

tell() { # people, at NOTIFY_URL, if there is one ({"text": "..."}, as Slack and Teams take it); RESULT and RUN_URL
    [ -n "${NOTIFY_URL:-}" ] || { say 'NOTIFY_URL is not set: nobody is told'; return; }
    jq --null-input --arg result "$(result)" --arg model "$MODEL_NAME" --arg version "$MODEL_VERSION" \
        --arg url "${RUN_URL:-}" '{text: "\($result): \($model) version \($version). \($url)"}' |
        # The address is a secret, so that no argument has it.
        curl --fail --silent --show-error --max-time 20 --output /dev/null --header 'Content-Type: application/json' \
            --data-binary @- --config <(printf 'url = "%s"\n' "$NOTIFY_URL") || say 'Nobody could be told'
}

case ${1:-} in
tools | there | fetch | build | prove | keep | sign | publish | summary | tell | matrix | note | hand_out) "$@" ;;
*)
    say "Usage: ci.sh STEP, one of the functions in here"
    exit 2
    ;;
esac
