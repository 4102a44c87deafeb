#!/bin/sh
# Play manifests with Podman, look until the pod is ready or SECONDS have gone, say what was seen.
# usage: pod.sh FOLDER SERVICE SECONDS
set -u
cd "$1" || exit 2
service=$2 seconds=$3
main=$service-pod-$service

ready() {
  podman exec "$main" python -c "
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', 8000, timeout=2)
connection.request('GET', '/readyz')
sys.exit(connection.getresponse().status != 200)" >/dev/null 2>&1
}

podman kube down --force manifests.yaml >/dev/null 2>&1
podman volume create "$service-models" >/dev/null
podman volume import "$service-models" models.tar
timeout "$seconds" podman kube play --network none manifests.yaml > played 2>&1
echo "played: $?"
state=unready
while [ "$seconds" -gt 0 ]; do
  ready && { state=ready; break; }
  [ "$(podman inspect --format '{{.State.Status}}' "$main" 2>/dev/null)" = running ] || break
  seconds=$((seconds - 1))
  sleep 1
done
echo "state: $state"
for container in $(podman ps --all --format '{{.Names}}'); do
  echo "container: $container $(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$container")"
  podman logs "$container" 2>&1
done
cat played
podman kube down --force manifests.yaml >/dev/null 2>&1
