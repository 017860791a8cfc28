#!/usr/bin/env python3
"""Times the U-Net and the decoder of Stable Diffusion 1.5, with random weights, in OpenVINO or PyTorch.

    pip install -r requirements.txt
    python3 peers.py openvino unet bf16
    python3 peers.py torch vae_decoder fp32 --size 512x768 --runs 9 --threads 4
    python3 peers.py torch unet bf16 --device cuda

A run is one step under guidance (two rows a picture) or one decoded picture; one to warm up is not counted. Prints a line of JSON:
median, min and max in seconds, peak_rss in bytes. OpenVINO's models are converted once and kept in .build/peers. On a GPU, which
is PyTorch's alone, the network goes through torch.compile first, which takes minutes, and runs as a CUDA graph.

With --serve, for sd-bench: {"ready": true} when it is warm; then for every line of input one run and {"seconds": S}; at the end of
the input {"peak_rss": BYTES}.
"""
import argparse, json, os, shutil, statistics, subprocess, sys, time

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(FOLDER, "../../.build/peers")
CONTEXT = 768


def find_tiles():
    """Starts this script again with CPUID's leaves about tiles filled in, where there are tiles: see cpuid_amx.c."""
    library = os.path.join(CACHE, "cpuid_amx.so")
    with open("/proc/cpuinfo") as info:
        if "amx_bf16" not in info.read() or library in os.environ.get("LD_PRELOAD", ""):
            return
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        return
    os.makedirs(CACHE, exist_ok=True)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", os.path.join(FOLDER, "cpuid_amx.c"), "-o", library], check=True)
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "LD_PRELOAD": library})


def inputs(options):
    random = np.random.default_rng(3)
    normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
    height, width = (side // 8 for side in options.size)
    if options.component == "vae_decoder":
        return [normal(1, 4, height, width)]
    rows = 2 * options.batch
    return [normal(rows, 4, height, width), np.array(481), normal(rows, 77, CONTEXT)]


def network(component):
    """The architecture of Stable Diffusion 1.5, as a module that returns a tensor."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    class UNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = UNet2DConditionModel(
                sample_size=64, block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=CONTEXT, attention_head_dim=8,
                down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
                up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3)

        def forward(self, sample, timestep, states):
            return self.net(sample, timestep, encoder_hidden_states=states).sample

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = AutoencoderKL(
                sample_size=512, block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
                down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)

        def forward(self, latents):
            return self.net.decode(latents).sample

    torch.manual_seed(0)
    return (UNet() if component == "unet" else Decoder()).eval()


def torch_run(options):
    import torch

    torch.set_num_threads(options.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[options.precision]
    net = network(options.component).to(dtype=dtype, device=options.device, memory_format=torch.channels_last)
    on_gpu = options.device != "cpu"
    if on_gpu:
        net = torch.compile(net, mode=options.compile, fullgraph=True)

    def tensor(values):
        tensor = torch.from_numpy(values)
        tensor = tensor.to(options.device, dtype if tensor.is_floating_point() else tensor.dtype)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    values = [tensor(x) for x in inputs(options)]

    def run():
        with torch.inference_mode():
            net(*values)
        if on_gpu:
            torch.cuda.synchronize()

    for _ in range(2 if on_gpu else 0):  # a graph is recorded in the third run
        run()
    return run


def openvino_run(options):
    import openvino

    name = f"{options.component}-{options.batch}x{options.size[0]}x{options.size[1]}"
    folder = os.path.join(CACHE, name)
    if not os.path.exists(folder):
        # A process of its own, so that PyTorch's memory is not counted as OpenVINO's.
        code = subprocess.run([sys.executable, *sys.argv, "--convert", folder], stdout=sys.stderr).returncode
        if code:
            sys.exit(code)
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[options.precision],
                "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": options.threads}
    request = core.compile_model(core.read_model(f"{folder}/model.xml"), "CPU", settings).create_infer_request()
    values = inputs(options)
    return lambda: request.infer(values)


def convert(options):
    import openvino, torch

    values = [torch.from_numpy(x) for x in inputs(options)]
    with torch.no_grad():
        shapes = [list(x.shape) for x in values]
        model = openvino.convert_model(network(options.component), example_input=tuple(values), input=shapes)
    temporary = f"{options.convert}.{os.getpid()}"
    openvino.save_model(model, f"{temporary}/model.xml")
    os.rename(temporary, options.convert)


def peak_rss():
    """The largest resident set in bytes. Not getrusage's, which begins with that of the process that started this one."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def size(text):
    height, width = text.split("x")
    return int(height), int(width)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["openvino", "torch"])
    parser.add_argument("component", choices=["unet", "vae_decoder"])
    parser.add_argument("precision", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--size", type=size, default=(512, 512), metavar="HxW", help="of the picture, in pixels")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures of a step")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, or cuda:0")
    parser.add_argument("--compile", default="max-autotune", metavar="MODE", help="torch.compile's mode on a GPU")
    parser.add_argument("--context", type=int, default=CONTEXT, help=f"columns of the prompt's states; must be {CONTEXT}")
    parser.add_argument("--serve", action="store_true", help="run whenever a line comes in")
    parser.add_argument("--convert", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.context != CONTEXT:
        sys.exit(f"this is Stable Diffusion 1.5, whose prompts have {CONTEXT} columns, not {options.context}")
    if options.device == "cpu" and options.precision == "fp16":
        sys.exit("fp16 is for GPUs")
    if options.device != "cpu" and options.peer != "torch":
        sys.exit(f"{options.peer} is not run on a GPU")
    if options.convert:
        return convert(options)
    find_tiles()
    # Libraries print what they like; only the protocol may reach standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    say = lambda **answer: print(json.dumps(answer), file=answers)

    run = {"openvino": openvino_run, "torch": torch_run}[options.peer](options)
    run()
    if options.serve:
        say(ready=True)
        for _ in sys.stdin:
            say(seconds=timed(run))
        say(peak_rss=peak_rss())
    else:
        seconds = [timed(run) for _ in range(options.runs)]
        say(peer=options.peer, component=options.component, precision=options.precision, median=statistics.median(seconds),
            min=min(seconds), max=max(seconds), peak_rss=peak_rss())


if __name__ == "__main__":
    main()
