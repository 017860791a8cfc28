#!/usr/bin/env python3
"""Makes micro Stable Diffusion models with random weights and stores what Hugging Face diffusers computes with them.

    pip install torch diffusers transformers safetensors scipy
    python3 goldens.py ../../Tests/DiffusionModelsTests/Fixtures

Writes a checkpoint in diffusers' layout for each entry of MODELS, and `golden.safetensors` beside it. The weights are rounded to
the type in which they are stored before anything is computed. Tensors of the goldens, float32 in PyTorch's layouts:

    text.input_ids [3, 77] -> text.last_hidden_state    the prompt, the negative prompt and the empty one
    unet.sample, unet.timestep [3], unet.encoder_hidden_states -> unet.out
    vae.latent -> vae.decoded                           vae.image -> vae.mean, vae.logvar
    run.NAME.latents                                    StableDiffusionPipeline from the seed to the final latents
    run.NAME.image, uint8 [H, W, 3]                     the picture, for the runs in PICTURES

The metadata `golden` is JSON: prompts, seed, size, the runs by name, and under "rounding" how far (NMSE) PyTorch itself is from its
float32 results when it computes in float16 and bfloat16.
"""
import json, os, shutil, sys, warnings
import diffusers, numpy as np, torch, transformers
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

warnings.filterwarnings("ignore")
diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

BETAS = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
SCHEDULE = dict(**BETAS, set_alpha_to_one=False, steps_offset=1, clip_sample=False, trained_betas=None)
# What the two families differ in, at widths that keep the files small; every path of the graphs occurs.
MODELS = {
    "micro-sd15": dict(
        unet=dict(block_out_channels=(8, 8, 16, 16), layers_per_block=2, attention_head_dim=2, norm_num_groups=4,
                  cross_attention_dim=16, use_linear_projection=False),
        vae=dict(block_out_channels=(8, 8, 8, 16), layers_per_block=1, norm_num_groups=4),
        text=dict(hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, hidden_act="quick_gelu"),
        scheduler=dict(_class_name="PNDMScheduler", skip_prk_steps=True, **SCHEDULE),
        dtypes=dict(unet=torch.float16, vae=torch.float16, text_encoder=torch.float16), pad="<|endoftext|>", seed=32, guidance=7.5,
        prompt="a photograph of an astronaut riding a horse", negative=""),
    "micro-sd21": dict(
        unet=dict(block_out_channels=(8, 8, 16, 16), layers_per_block=1, attention_head_dim=(1, 1, 2, 2), norm_num_groups=8,
                  cross_attention_dim=24, use_linear_projection=True),
        vae=dict(block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=8),
        text=dict(hidden_size=24, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3, hidden_act="gelu"),
        scheduler=dict(_class_name="DDIMScheduler", prediction_type="v_prediction", **SCHEDULE),
        dtypes=dict(unet=torch.bfloat16, vae=torch.float32, text_encoder=torch.bfloat16), pad="!", seed=7, guidance=5.0,
        prompt="a red circle (large) on a blue background, don't blur", negative="green squares"),
}
HEIGHT, WIDTH = 72, 56  # 9 x 7 latents: not square, odd at every level
STEPS, LONG = 6, 20  # the long run is longer than the 16 timesteps that a plan prepares at a time
FEW = 3  # for LCM, whose steps jump so far that more of them amplify the last bits of float32 beyond use
SCHEDULERS = {
    "pndm": ("PNDMScheduler", {}), "ddim": ("DDIMScheduler", {}), "lms": ("LMSDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}), "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}), "dpm++2m": ("DPMSolverMultistepScheduler", {}),
    "dpm++2m-karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "unipc": ("UniPCMultistepScheduler", {}), "lcm": ("LCMScheduler", {}),
}
PICTURES = ["pndm", "ddim", "euler-a", "long", "unguided"]
WORDS = "a an the of on in photograph astronaut riding horse red blue green circle square background large".split()


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def write_tokenizer(folder, pad):
    """Every byte as a token, and merges from left to right for a few words. Returns the number of tokens."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    symbols = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = symbols + [symbol + "</w>" for symbol in symbols]
    merges = []
    for word in WORDS:
        left = word[0]
        for position, letter in enumerate(word[1:], start=2):
            right = letter + "</w>" * (position == len(word))
            if left + right not in tokens:
                tokens.append(left + right)
                merges.append(f"{left} {right}")
            left += right
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    special = dict(bos_token=tokens[-2], eos_token=tokens[-1], unk_token=tokens[-1], pad_token=pad)
    write_json(f"{folder}/vocab.json", {token: i for i, token in enumerate(tokens)})
    write_json(f"{folder}/special_tokens_map.json", special)
    write_json(f"{folder}/tokenizer_config.json", dict(model_max_length=77, tokenizer_class="CLIPTokenizer", **special))
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "\n".join(merges) + "\n")
    return len(tokens)


def randomize(module, seed, dtype):
    """Weights that keep the scale of activations; no gain is 1 and no bias 0, so that a tensor left out shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.data = 0.1 * noise + name.endswith("weight")
        else:
            parameter.data = noise * parameter[0].numel() ** -0.5
    return module.to(dtype)


def write_model(folder, model):
    tokens = write_tokenizer(f"{folder}/tokenizer", model["pad"])
    levels = len(model["unet"]["block_out_channels"])
    unet = UNet2DConditionModel(
        sample_size=8, down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1), **model["unet"])
    vae = AutoencoderKL(
        sample_size=64, down_block_types=("DownEncoderBlock2D",) * len(model["vae"]["block_out_channels"]),
        up_block_types=("UpDecoderBlock2D",) * len(model["vae"]["block_out_channels"]), **model["vae"])
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=tokens, bos_token_id=tokens - 2, eos_token_id=tokens - 1, pad_token_id=1, **model["text"]))
    # One U-Net comes in shards that an index joins, as large checkpoints do.
    shards = dict(max_shard_size="150KB") if model["dtypes"]["unet"] == torch.bfloat16 else {}
    for name, module, options in [("unet", unet, shards), ("vae", vae, {}), ("text_encoder", text, {})]:
        randomize(module, model["seed"] + len(name), model["dtypes"][name]).save_pretrained(f"{folder}/{name}", **options)
    # Published checkpoints prefix the names of the text encoder's tensors; recent transformers do not.
    path = f"{folder}/text_encoder/model.safetensors"
    tensors = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    write_json(f"{folder}/scheduler/scheduler_config.json", model["scheduler"])
    write_json(f"{folder}/model_index.json", dict(
        _class_name="StableDiffusionPipeline", scheduler=["diffusers", model["scheduler"]["_class_name"]],
        text_encoder=["transformers", "CLIPTextModel"], tokenizer=["transformers", "CLIPTokenizer"],
        unet=["diffusers", "UNet2DConditionModel"], vae=["diffusers", "AutoencoderKL"], safety_checker=[None, None],
        feature_extractor=[None, None], image_encoder=[None, None], requires_safety_checker=False))


def forwards(pipe, inputs, dtype=torch.float32):
    """The components on their inputs, computed in a type."""
    pipe.to(dtype)
    text = pipe.text_encoder(inputs["text.input_ids"]).last_hidden_state
    cast = {name: tensor.to(dtype) for name, tensor in inputs.items() if tensor.is_floating_point()}
    noise = pipe.unet(cast["unet.sample"], inputs["unet.timestep"], encoder_hidden_states=cast["unet.encoder_hidden_states"])
    latent = pipe.vae.encode(cast["vae.image"]).latent_dist
    decoded = pipe.vae.decode(cast["vae.latent"]).sample
    pipe.to(torch.float32)
    return {name: tensor.float() for name, tensor in {
        "text.last_hidden_state": text, "unet.out": noise.sample, "vae.decoded": decoded, "vae.mean": latent.mean,
        "vae.logvar": latent.logvar}.items()}


def nmse(a, b):
    a, b = a.double(), b.double()
    return float(f"{(a - b).square().sum() / b.square().sum():.1e}")


def load(folder):
    return StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32)


def golden(folder, model):
    pipe = load(folder)
    pipe.set_progress_bar_config(disable=True)
    base = pipe.scheduler.config
    size = (HEIGHT // 8, WIDTH // 8)
    generator = torch.Generator().manual_seed(model["seed"] + 1)
    prompts = [model["prompt"], model["negative"], ""]
    ids = pipe.tokenizer(prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    inputs = {
        "text.input_ids": ids,
        "unet.sample": torch.randn(3, 4, *size, generator=generator),
        "unet.timestep": torch.tensor([481.0, 1.0, 999.0]),
        "unet.encoder_hidden_states": pipe.text_encoder(ids).last_hidden_state,
        "vae.latent": torch.randn(1, 4, *size, generator=generator),
        "vae.image": torch.rand(1, 3, HEIGHT, WIDTH, generator=generator) * 2 - 1,
    }
    outputs = forwards(pipe, inputs)
    rounding = {}
    for name, dtype in {"fp16": torch.float16, "bf16": torch.bfloat16}.items():
        low = forwards(load(folder), inputs, dtype)
        rounding[name] = {key: nmse(low[key], outputs[key]) for key in outputs}

    runs = {name: dict(scheduler=name, steps=STEPS, guidance=model["guidance"]) for name in SCHEDULERS}
    runs["lcm"]["steps"] = FEW
    default = next(name for name, (kind, _) in SCHEDULERS.items() if kind == model["scheduler"]["_class_name"])
    runs["long"] = dict(scheduler=default, steps=LONG, guidance=model["guidance"])
    runs["unguided"] = dict(scheduler="ddim", steps=STEPS, guidance=1.0)
    for name, run in runs.items():
        kind, extra = SCHEDULERS[run["scheduler"]]
        pipe.scheduler = getattr(diffusers, kind).from_config(base, **extra)
        latents = pipe(
            model["prompt"], HEIGHT, WIDTH, run["steps"], guidance_scale=run["guidance"], negative_prompt=model["negative"],
            generator=torch.Generator().manual_seed(model["seed"]), output_type="latent").images
        outputs[f"run.{name}.latents"] = latents
        if name in PICTURES:
            decoded = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
            picture = pipe.image_processor.postprocess(decoded, "np")[0]
            outputs[f"run.{name}.image"] = torch.from_numpy((picture * 255).round().astype(np.uint8))
    meta = dict(
        prompt=model["prompt"], negative=model["negative"], seed=model["seed"], height=HEIGHT, width=WIDTH, runs=runs,
        rounding=rounding, torch=torch.__version__, diffusers=diffusers.__version__, transformers=transformers.__version__)
    tensors = {name: tensor.contiguous() for name, tensor in {**inputs, **outputs}.items()}
    save_file(tensors, f"{folder}/golden.safetensors", metadata={"golden": json.dumps(meta)})
    return meta


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    for name, model in MODELS.items():
        folder = f"{sys.argv[1]}/{name}"
        shutil.rmtree(folder, ignore_errors=True)
        write_model(folder, model)
        print(name, json.dumps(golden(folder, model)["rounding"], indent=1))
