#!/usr/bin/env python3
"""Times a peer on the work of this project: a U-Net call under guidance, or the decoding of a picture.

    pip install -r requirements.txt
    python3 peers.py openvino unet bf16 --runs 5       one JSON line
    python3 peers.py torch vae_decoder fp32 --serve    what sd-bench --peers drives

The architecture is Stable Diffusion 1.5's with random weights, so nothing is downloaded. With --serve it says {"ready": true},
calls the model once for every line that it reads, and answers each with {"seconds": ...}.
"""
import argparse, json, os, resource, statistics, subprocess, sys, time

HERE, CACHE = os.path.dirname(os.path.abspath(__file__)), os.path.join(".build", "peers")


def answer_cpuid():
    """Starts again with cpuid_amx.c loaded, where there are AMX tiles (see there)."""
    library = os.path.abspath(os.path.join(CACHE, "cpuid_amx.so"))
    if library in os.environ.get("LD_PRELOAD", "") or "amx_bf16" not in open("/proc/cpuinfo").read():
        return
    os.makedirs(CACHE, exist_ok=True)
    compiler = os.environ.get("CC", "clang")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", os.path.join(HERE, "cpuid_amx.c"), "-o", library], check=True)
    os.environ["LD_PRELOAD"] = library
    os.execv(sys.executable, [sys.executable] + sys.argv)


def model(component):
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    torch.manual_seed(0)
    if component == "unet":
        down = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
        up = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
        net = UNet2DConditionModel(
            sample_size=64, down_block_types=down, up_block_types=up, block_out_channels=(320, 640, 1280, 1280),
            cross_attention_dim=768, attention_head_dim=8)
    else:
        net = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512)

    class Call(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net.eval()

        def forward(self, x, *more):
            if component == "unet":
                return self.net(x, more[0], encoder_hidden_states=more[1]).sample
            return self.net.decode(x).sample

    return Call()


def inputs(component, size):
    import torch

    height, width = size
    if component == "vae_decoder":
        return (torch.randn(1, 4, height // 8, width // 8),)
    return torch.randn(2, 4, height // 8, width // 8), torch.tensor(481), torch.randn(2, 77, 768)


def openvino(arguments):
    import openvino, torch

    x = inputs(arguments.component, arguments.size)
    path = os.path.join(CACHE, "{}-{}x{}.xml".format(arguments.component, *arguments.size))
    if not os.path.exists(path):
        os.makedirs(CACHE, exist_ok=True)
        with torch.no_grad():
            shapes = [list(t.shape) for t in x]
            openvino.save_model(openvino.convert_model(model(arguments.component), example_input=x, input=shapes), path)
    hints = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[arguments.precision],
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": arguments.threads,
    }
    request = openvino.Core().compile_model(path, "CPU", hints).create_infer_request()
    feed = [t.numpy() for t in x]
    return lambda: request.infer(feed)


def torch(arguments):
    import torch

    torch.set_num_threads(arguments.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[arguments.precision]
    net = model(arguments.component).to(dtype=dtype, memory_format=torch.channels_last)
    x = [t.to(dtype) if t.is_floating_point() else t for t in inputs(arguments.component, arguments.size)]
    x[0] = x[0].contiguous(memory_format=torch.channels_last)

    def call():
        with torch.inference_mode():
            net(*x)

    return call


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["openvino", "torch"])
    parser.add_argument("component", choices=["unet", "vae_decoder"])
    parser.add_argument("precision", choices=["fp32", "bf16"])
    parser.add_argument("--size", default=(512, 512), type=lambda text: tuple(int(n) for n in text.split("x")))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    answer_cpuid()
    # Libraries write to standard output; answers have it for themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    call = globals()[arguments.peer](arguments)
    call()
    if arguments.serve:
        print(json.dumps({"ready": True}), file=answers)
        for _ in iter(sys.stdin.readline, ""):
            print(json.dumps({"seconds": timed(call)}), file=answers)
    else:
        seconds = [timed(call) for _ in range(arguments.runs)]
        print(json.dumps({"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}), file=answers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak_rss_bytes": peak}), file=answers)


if __name__ == "__main__":
    main()
